"""Application of the corrections of a dataset: the same record and the same ingest give the same manifest."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.corrections.base import MANIFEST, REJECTIONS, keep_base, replace
from jobs.dataset.corrections.cutting import NEAR_S, ClipCutter
from jobs.dataset.corrections.edits import Edit, EditIndex, fold
from jobs.dataset.corrections.neighbours import Neighbours
from jobs.dataset.corrections.places import key_of
from jobs.dataset.corrections.record import CORRECTION_OF, CORRECTIONS, Part, read_corrections, record_of
from jobs.dataset.manifest import BEFORE_CORRECTIONS, Clip, Rejection, RejectionError, Source, read_rows, write_rows
from jobs.dataset.rejection_reasons import DROPPED
from jobs.runner.worker.context import JobContext

logger = logging.getLogger(__name__)

_OF_TEXT = ("spoken",)


@dataclass
class Applied:
    """Outcome.

    Attributes:
        manifest: of the dataset.
        n_corrections: lines of the record.
        n_clips: in the manifest.
        n_changed: clips with another text or other borders.
        n_dropped: clips left out.
        n_rescued: rejections that are clips now.
        n_cut: files that this call has written.
        problems: corrections that could not be applied, with the reason.
    """

    manifest: Path
    n_corrections: int = 0
    n_clips: int = 0
    n_changed: int = 0
    n_dropped: int = 0
    n_rescued: int = 0
    n_cut: int = 0
    problems: list[str] = field(default_factory=list)


def has_corrections(dataset: Path) -> bool:
    """Return whether anything was ever corrected."""
    return (dataset / CORRECTIONS).is_file()


def apply_corrections(dataset: Path, audio: Path | None, context: JobContext, record: Path | None = None) -> Applied:
    """Write ``train_manifest.jsonl`` and ``rejections.jsonl`` as the corrections have them.

    Args:
        dataset: folder.
        audio: the recording or the folder of recordings, for borders beyond a clip and rejections without a file.
        context: of the job.
        record: of the corrections; None: the dataset's own.

    Raises:
        UserError: ``manifest_missing``, ``manifest_unreadable``, ``path_outside_dataset``, ``path_is_link``.
    """
    base = keep_base(dataset)
    corrections = read_corrections(record or record_of(dataset))
    rows = list(read_rows(base.manifest, Clip))
    rejections = list(read_rows(base.rejections, Rejection)) if base.rejections.is_file() else []
    origins: list[Clip | Rejection] = [*rows, *rejections]
    index = EditIndex(fold(corrections))
    edits = index.match({key_of(row): row.source for row in origins})
    done = Applied(dataset / MANIFEST, n_corrections=len(corrections))
    neighbours = Neighbours(rows)
    maker = _RowMaker(ClipCutter(dataset, AudioRoots.of(context.settings), audio), neighbours, done)
    kept: list[_Placed] = []
    left_out: list[Rejection] = []
    for number, row in enumerate(origins):
        context.raise_if_cancelled()
        edit = edits.get(key_of(row))
        made, rejected = maker.make(row, edit)
        if made:
            place = number if isinstance(row, Clip) else neighbours.place_of(row.source)
            kept += [_Placed(place, not isinstance(row, Clip), clip) for clip in made]
        left_out += rejected
        if edit is not None:
            context.progress(number, len(origins), f"{done.n_changed + done.n_rescued} clips corrected")
    kept.sort(key=lambda one: (one.place, one.is_rescued, one.clip.source.start_s if one.clip.source else 0.0))
    clips = [one.clip for one in kept]
    chosen = _references(edits, clips)
    done.n_clips, done.n_cut = len(clips), maker.cutter.n_cut
    done.problems += [f"{key}: no clip of this ingest is there" for key in sorted(index.unused)]
    new = dataset / BEFORE_CORRECTIONS
    write_rows(new / f"{MANIFEST}.new", (_referenced(row, chosen, maker.replaced) for row in clips))
    write_rows(new / f"{REJECTIONS}.new", left_out)
    replace(dataset, new / f"{MANIFEST}.new", new / f"{REJECTIONS}.new", len(corrections))
    logger.info("%d corrections: %d clips, %d problems", done.n_corrections, done.n_clips, len(done.problems))
    return done


@dataclass
class _RowMaker:
    """Maker of the rows that follow from a row of the ingest and an edit."""

    cutter: ClipCutter
    neighbours: Neighbours
    done: Applied
    replaced: dict[str, str | None] = field(default_factory=dict)
    """Clips with another file now, None for those that were left out."""

    def make(self, row: Clip | Rejection, edit: Edit | None) -> tuple[list[Clip], list[Rejection]]:
        """Return the clips and the rejections in place of a row."""
        as_it_was: tuple[list[Clip], list[Rejection]] = ([row], []) if isinstance(row, Clip) else ([], [row])
        if edit is None or not edit.changes:
            return as_it_was
        is_kept = isinstance(row, Clip) if edit.is_kept is None else edit.is_kept
        if not is_kept:
            if isinstance(row, Rejection):
                return [], [row]
            self.done.n_dropped += 1
            self.replaced[row.audio] = None
            return [], [_dropped(row, edit)]
        try:
            clips = list(self._clips(row, edit))
        except RejectionError as error:
            self.done.problems.append(f"{key_of(row)}: {error}")
            return as_it_was
        if isinstance(row, Rejection):
            self.done.n_rescued += 1
        elif edit.parts:
            self.done.n_changed += 1
            self.replaced[row.audio] = clips[0].audio
        return clips, []

    def _clips(self, row: Clip | Rejection, edit: Edit) -> Iterator[Clip]:
        place = row.source or Source(recording=row.audio or "", start_s=0.0, end_s=_length(row))
        own = row if isinstance(row, Clip) else self._rescued(row)
        for part in edit.parts or (Part(),):
            yield self._clip(row, own, place, part)

    def _clip(self, row: Clip | Rejection, own: Clip, place: Source, part: Part) -> Clip:
        text = own.text if part.text is None else part.text
        if not any(character.isalnum() for character in text):
            raise RejectionError("no_text", "the rejection has no text; give it one")
        wanted = place.model_copy(
            update={
                "start_s": place.start_s if part.start_s is None else part.start_s,
                "end_s": place.end_s if part.end_s is None else part.end_s,
            }
        )
        is_moved = max(abs(wanted.start_s - place.start_s), abs(wanted.end_s - place.end_s)) > NEAR_S
        changes: dict[str, object] = {"text": text}
        if is_moved or not row.audio:
            audio, duration_s = self.cutter.cut(row.audio, place, wanted)
            changes |= {"audio": audio, "duration_s": duration_s, "quality": {}}
            changes |= {"source": wanted} if row.source is not None else {}
        made = own.model_copy(update={**changes, CORRECTION_OF: key_of(row)})
        if text != own.text or is_moved:
            for name in _OF_TEXT:
                (made.__pydantic_extra__ or {}).pop(name, None)
        return made

    def _rescued(self, row: Rejection) -> Clip:
        """Return a rejection as a clip, with what its neighbours in the recording have."""
        like = self.neighbours.nearest(row.source)
        if like is None:
            raise RejectionError("empty", "the dataset has no clip whose speaker and language it could have")
        changes = {
            "audio": row.audio or "",
            "text": row.text or "",
            "duration_s": _length(row),
            "source": row.source,
            "quality": {},
            "split": "train",
        }
        made = like.model_copy(update=changes, deep=True)
        for name in _OF_TEXT:
            (made.__pydantic_extra__ or {}).pop(name, None)
        return made


def _length(row: Clip | Rejection) -> float:
    if isinstance(row, Clip) and row.duration_s is not None:
        return row.duration_s
    return round(row.source.end_s - row.source.start_s, 6) if row.source is not None else 0.0


def _dropped(row: Clip, edit: Edit) -> Rejection:
    source = row.source or Source(recording=row.audio, start_s=0.0, end_s=_length(row))
    by = f"by {edit.who}" if edit.who else "by a correction"
    return Rejection(source=source, reason=DROPPED, detail=by, text=row.text or None, audio=row.audio)


def _references(edits: Mapping[str, Edit], clips: Sequence[Clip]) -> dict[str, str]:
    """Return the chosen reference clip of each speaker, the last that was chosen."""
    by_key = {str((clip.model_extra or {}).get(CORRECTION_OF, key_of(clip))): clip for clip in reversed(clips)}
    chosen = sorted((edit.reference_at, key) for key, edit in edits.items() if edit.reference_at and key in by_key)
    return {by_key[key].speaker: by_key[key].audio for _, key in chosen}


def _referenced(row: Clip, chosen: Mapping[str, str], replaced: Mapping[str, str | None]) -> Clip:
    """Return the row with its speaker's reference clip: the chosen one, or what became of the ingest's."""
    was = row.ref_audio
    reference = chosen.get(row.speaker, replaced.get(was, was) if was is not None else None)
    return row if reference == was else row.model_copy(update={"ref_audio": reference})


@dataclass(frozen=True)
class _Placed:
    """A clip, and the number of the ingest's clip that it follows from or comes after."""

    place: int
    is_rescued: bool
    clip: Clip
