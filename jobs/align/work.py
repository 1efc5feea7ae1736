"""The job ``align``: align the clips that the journal lacks, then write the manifest in its order.

A kill at any moment costs at most one clip: words are journalled next to the output, clip by clip. The journal stays,
so that after corrections only the clips that changed are aligned again.
"""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from jobs.align.align_clip import align_clip, clip_key
from jobs.align.aligners import WordAligner, make_aligner
from jobs.align.params import Params, Result
from jobs.align.trim import AlignedClip, reject_removed_parts, write_trimmed_clip
from jobs.asr.model_registry import language_code
from jobs.dataset.audio_roots import AudioRoots, name_from
from jobs.dataset.exchange.exporters import EXPORTS, give
from jobs.dataset.manifest import (
    Clip,
    Rejection,
    RejectionError,
    Source,
    Word,
    length_of,
    read_numbered_rows,
    read_rows,
    write_rows,
)
from jobs.dataset.report.alignment_report import show_words
from jobs.errors import UserError
from jobs.files.folders import make_folder, move, remove
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal


class _Entry(BaseModel):
    """Value of a journal's line: an aligned clip, or the reason why there is none."""

    aligned: AlignedClip | None = None
    reason: str = ""
    detail: str = ""


def _read_entry(value: Any) -> _Entry | None:
    """Read a journal's value; None when there is none, or when it is not of this job: the file lies in the dataset."""
    try:
        entry = _Entry.model_validate(value)
    except ValidationError:
        return None
    return entry if entry.aligned or entry.reason else None


@dataclass(frozen=True)
class ClipAudio:
    """Audio of the clips.

    Attributes:
        root: folder that the manifest's names are relative to.
        out: folder of the new manifest.
        roots: where the audio may lie beside ``root``.
    """

    manifest: Path
    root: Path
    out: Path
    roots: AudioRoots

    def find(self, name: str) -> Path:
        """Return the real path of a clip's audio. Raises ``UserError``: ``path_outside_dataset``."""
        return self.roots.find(self.manifest, self.root, name)

    def readdress(self, row: Clip) -> Clip:
        """Return the row with its audio and reference as the new manifest names them."""
        named = {"audio": row.audio, "ref_audio": row.ref_audio}
        return row.model_copy(
            update={field: name_from(self.out, self.root / name) for field, name in named.items() if name}
        )


class JournaledAligner:
    """Aligns clips one by one; results come from the journal when an earlier attempt has written them."""

    def __init__(self, params: Params, audio: "ClipAudio", aligners: dict[str, WordAligner], journal: Journal) -> None:
        self._params = params
        self._audio = audio
        self._aligners = aligners
        self._journal = journal

    def align(self, row: Clip) -> AlignedClip:
        """Align a clip, or read its result from the journal.

        Raises ``RejectionError``: with the reason, which the journal holds too.
        """
        aligner = self._aligners[row.language]
        path = self._audio.find(row.audio)
        spoken = recognised_words(row)
        key = clip_key(path, row.text, f"{aligner.name} {row.language}", spoken)
        entry = _read_entry(self._journal.get(key))
        if entry is None:
            written = self._align(path, row, aligner)
            self._journal.add(key, written)
            entry = _Entry.model_validate(written)
        if entry.aligned is None:
            raise RejectionError(entry.reason, entry.detail)
        aligned = entry.aligned
        self._check_score(aligned.words, aligner)
        return aligned

    def move_row(self, row: Clip, aligned: AlignedClip) -> Clip:
        """Return the row for the new manifest; the part of a trimmed clip that is kept gets a file of its own."""
        moved = self._audio.readdress(row)
        if not aligned.lost:
            return moved
        path = self._audio.find(row.audio)
        name = Path(moved.audio)
        if name.is_absolute():  # clips of several folders may have one name
            name = Path(f"{name.stem}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}{name.suffix}")
        return write_trimmed_clip(moved, path, aligned, self._audio.out, name)

    def _align(self, path: Path, row: Clip, aligner: WordAligner) -> dict[str, Any]:
        try:
            aligned = align_clip(path, row.text, language_code(row.language) or "", aligner, recognised_words(row))
        except RejectionError as rejected:
            return {"audio": row.audio, "reason": rejected.reason, "detail": rejected.detail}
        return {"audio": row.audio, "aligned": aligned.model_dump(exclude_defaults=True)}

    def _check_score(self, words: list[Word], aligner: WordAligner) -> None:
        given = self._params.min_word_score
        needed = aligner.default_min_score if given is None else given
        score = sum(word.score for word in words) / len(words)
        if score < needed:
            raise RejectionError("low_score", f"mean word score {score:.2f} is below {needed}")


def recognised_words(row: Clip) -> list[str] | None:
    """Return the words that ingest_audiobook recognised, where they differ from the usual reading of the text."""
    spoken = (row.model_extra or {}).get("spoken")
    return spoken if isinstance(spoken, list) and all(isinstance(word, str) for word in spoken) else None


logger = logging.getLogger(__name__)

DEFAULT_NAME = "train_aligned.jsonl"
REJECTIONS_NAME = "align_rejections.jsonl"
JOURNAL_NAME = ".align_journal.jsonl"


@dataclass
class Tally:
    """Counts of the clips so far."""

    n_clips: int = 0
    n_words: int = 0
    score: float = 0.0
    n_trimmed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def n_rejected(self) -> int:
        """Rejected clips, without parts removed from clips that are kept."""
        return self.rejected.total()

    @property
    def mean_word_score(self) -> float:
        """Mean over all words."""
        return self.score / self.n_words if self.n_words else 0.0


def run(params: Params, context: JobContext) -> Result:
    """Make ``train_aligned.jsonl``, ``align_rejections.jsonl`` and a report that shows the words of some clips.

    Raises ``UserError``: ``path_outside_dataset``; those of ``make_aligner``;
    ``all_clips_rejected`` when no clip is left.
    """
    manifest = Path(params.manifest)
    root = Path(params.root) if params.root else manifest.parent
    out = Path(params.out) if params.out else manifest.with_name(DEFAULT_NAME)
    audio = ClipAudio(manifest, root, out.parent, AudioRoots.of(context.settings))
    languages, total_s = _scan_manifest(manifest, audio)
    n_rows = sum(languages.values())
    context.progress(0, total_s, "Loading the aligner")
    cache = context.settings.torch_cache
    aligners = {name: make_aligner(name, params.aligner, params.align_model, cache) for name in languages}
    logger.info("%d clips, aligned with %s", n_rows, _names(aligners))
    make_folder(out.parent)
    tally = Tally()
    rejections: list[Rejection] = []
    with Journal(out.with_name(JOURNAL_NAME)) as journal:
        aligner = JournaledAligner(params, audio, aligners, journal)
        rows = _align_rows(manifest, total_s, aligner, tally, rejections, context)
        write_rows(out.with_name(out.name + ".new"), rows)
        write_rows(out.with_name(REJECTIONS_NAME), rejections)
        context.publish("rejections", out.with_name(REJECTIONS_NAME), "report")
        if tally.n_clips == 0:
            remove(out.with_name(out.name + ".new"))
            raise _all_rejected(manifest, tally, rejections)
        page = show_words(out.with_name(out.name + ".new"))
        move(out.with_name(out.name + ".new"), out)
        if (out.parent / EXPORTS / "lhotse").is_dir():  # the only layout with a place for times
            give(out, ["lhotse"], context)
    context.publish("report", page, "report")
    context.publish("manifest", out, "manifest")
    context.progress(total_s, total_s, "Aligned", mean_word_score=tally.mean_word_score, rejected=tally.n_rejected)
    logger.info("%d clips aligned, %d rejected: %s", tally.n_clips, tally.n_rejected, dict(tally.rejected))
    return Result(
        manifest=str(out),
        aligner=_names(aligners),
        n_clips=tally.n_clips,
        n_rejected=tally.n_rejected,
        n_trimmed=tally.n_trimmed,
        n_words=tally.n_words,
        mean_word_score=round(tally.mean_word_score, 4),
        rejected_by_reason=dict(tally.rejected.most_common()),
    )


def _scan_manifest(manifest: Path, audio: ClipAudio) -> tuple[Counter[str], float]:
    """Count clips of each language, and seconds, before models are loaded, so that a bad line fails at once."""
    languages: Counter[str] = Counter()
    total_s = 0.0
    for row in read_rows(manifest, Clip):
        audio.find(row.audio)
        languages[row.language] += 1
        total_s += length_of(row)
    return languages, total_s


def _align_rows(
    manifest: Path,
    total_s: float,
    aligner: JournaledAligner,
    tally: Tally,
    rejections: list[Rejection],
    context: JobContext,
) -> Iterator[Clip]:
    """Yield the manifest's rows with words, in order; the others are added to ``rejections``."""
    done_s = 0.0
    for number, row in read_numbered_rows(manifest, Clip):
        context.raise_if_cancelled()
        try:
            aligned = aligner.align(row)
        except RejectionError as rejected:
            tally.rejected[rejected.reason] += 1
            rejections.append(_rejection(row, rejected, number))
        else:
            tally.n_clips += 1
            tally.n_words += len(aligned.words)
            tally.score += sum(word.score for word in aligned.words)
            row = row.model_copy(update={"words": aligned.words})
            if aligned.lost:
                tally.n_trimmed += 1
                rejections += reject_removed_parts(row, aligned, number)
            yield aligner.move_row(row, aligned)
        done_s += length_of(row)
        message = f"{done_s / 3600:.2f} of {total_s / 3600:.2f} h of audio aligned, {tally.n_rejected} clips rejected"
        context.progress(done_s, total_s, message)


def _rejection(row: Clip, rejected: RejectionError, number: int) -> Rejection:
    source = row.source or Source(recording=row.audio, start_s=0.0, end_s=row.duration_s or 0.0)
    return Rejection.model_validate(
        {
            "source": source.model_dump(),
            "reason": rejected.reason,
            "detail": f"line {number}: {rejected.detail}",
            "text": row.text,
            "audio": row.audio,
        }
    )


def _names(aligners: dict[str, WordAligner]) -> str:
    return ", ".join(dict.fromkeys(aligner.name for aligner in aligners.values()))


_HINTS = {
    "no_text": "The clips have no text: ingest again with the book's text, segments_jsonl or Whisper.",
    "audio_missing": "Audio paths are relative to the manifest's folder; give root=DIR if the audio is elsewhere.",
    "low_score": "Check that texts and audio belong together; for a noisy recording lower min_word_score.",
    "not_aligned": "Check that texts and audio belong together, and that the clips' language is right.",
}


def _all_rejected(manifest: Path, tally: Tally, rejections: list[Rejection]) -> UserError:
    reason, count = tally.rejected.most_common(1)[0]
    example = next(rejection for rejection in rejections if rejection.reason == reason)
    return UserError(
        "all_clips_rejected",
        f"None of the {len(rejections)} clips of {manifest} could be aligned; {count} times the reason was {reason} "
        f"({example.detail}).",
        f"{_HINTS.get(reason, '')} Every reason is in {REJECTIONS_NAME}.".strip(),
    )
