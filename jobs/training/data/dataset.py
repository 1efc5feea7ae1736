"""What a run learns from: the clips of a coded manifest, checked before anything heavy is loaded."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from jobs.dataset.manifest import Source, check_audio_inside, write_rows
from jobs.errors import UserError
from jobs.training.data.manifest_reader import Rows, check_rejected, read_coded_rows
from jobs.training.data.manifest_scan import FEWEST_TO_HOLD_OUT_OF

logger = logging.getLogger(__name__)

MAX_CLIP_S = 30.0
MAX_BAD_SHARE = 0.05


@dataclass(frozen=True)
class TrainingClip:
    """One line of the manifest that training uses.

    Attributes:
        line: in the manifest, from 1.
        text: stripped.
        language: lower case, ``auto`` or a language of the model.
        codes: (frames, 16) int64.
        speaker: name of the voice, lower case.
        audio: the clip's file, which need not be there.
        chapter: recording and chapter that it comes from, if known.
    """

    line: int
    text: str
    language: str
    codes: torch.Tensor
    speaker: str
    audio: Path
    chapter: tuple[str, int] | None = None


@dataclass(frozen=True)
class Dataset:
    """What a run learns from.

    Attributes:
        train: clips to learn.
        validation: clips held out; may be empty.
        references: speaker, in the order of the manifest, to the clips that the voice is made of.
        manifest_sha256: of the file.
        rejected: lines left out as bad, by reason.
        n_duplicates: lines left out because they repeat another one.
    """

    train: list[TrainingClip]
    validation: list[TrainingClip]
    references: dict[str, list[Path]]
    manifest_sha256: str
    rejected: dict[str, int] = field(default_factory=dict)
    n_duplicates: int = 0

    @property
    def speakers(self) -> list[str]:
        """Names of the voices, lower case, in the order of the manifest."""
        return list(self.references)


def read_dataset(
    manifest: Path,
    *,
    speaker: str | None,
    languages: Sequence[str],
    codebook_size: int,
    max_clip_s: float = MAX_CLIP_S,
    max_bad_share: float = MAX_BAD_SHARE,
    validation_share: float = 0.0,
    references: Sequence[Path] = (),
    n_speaker_clips: int = 0,
    rejected_to: Path | None = None,
) -> Dataset:
    """Read and check a coded manifest.

    Args:
        manifest: ``train_manifest_qwen3.jsonl``.
        speaker: name to give the voice. If the manifest holds several speakers it must be one of them, and only that
            speaker's lines are used; None: all of them are learnt.
        languages: that the base model knows.
        codebook_size: codes of a book.
        max_clip_s: longer clips are bad.
        max_bad_share: of the lines that may be bad; they are left out.
        validation_share: of the clips to hold out where the manifest holds out none and has at least twenty.
        references: clips that a single voice is made of, instead of the following.
        n_speaker_clips: of each speaker's clips that his voice is made of, beside the manifest's ``ref_audio``.
        rejected_to: file for the list of bad lines; it is there afterwards if there are any, also after an error.

    Raises:
        UserError: ``manifest_missing``, ``too_many_bad_rows``, ``several_speakers``, ``speakers_collide``,
            ``train_split_empty``, ``path_outside_dataset``.
    """
    rows = read_coded_rows(manifest, languages=languages, codebook_size=codebook_size, max_clip_s=max_clip_s)
    rows = _of_speaker(manifest, rows, speaker)
    _list_rejected(rows, rejected_to)
    check_rejected(rows, manifest, max_bad_share, str(rejected_to or "rejected_rows.jsonl"))
    slots = _slots(manifest, rows, speaker)
    clips: dict[str, list[TrainingClip]] = {"train": [], "validation": []}
    given: dict[str, list[Path]] = {}
    for row in rows.good:
        name = slots[row.clip.speaker]
        audio = check_audio_inside(manifest, manifest.parent, row.clip.audio)
        clips[row.clip.split].append(
            TrainingClip(row.line, row.text, row.language, row.codes, name, audio, _chapter(row.clip.source))
        )
        known = given.setdefault(name, [])
        if row.clip.ref_audio is not None:
            known.append(check_audio_inside(manifest, manifest.parent, row.clip.ref_audio))
    if not clips["train"]:
        raise UserError(
            "train_split_empty",
            f'{manifest} has {len(rows.good)} lines of {speaker or "its speakers"!r}, none with split "train".',
            "Give some lines split train; validation clips are never learnt.",
        )
    train, validation = clips["train"], clips["validation"]
    if not validation:
        train, validation = hold_out(train, validation_share)
    _check_references(references, list(given))
    return Dataset(
        train=train,
        validation=validation,
        references={
            name: list(references)
            or list(dict.fromkeys([*own, *spread([c.audio for c in train if c.speaker == name], n_speaker_clips)]))
            for name, own in given.items()
        },
        manifest_sha256=hashlib.sha256(manifest.read_bytes()).hexdigest(),
        rejected=rows.counts(),
        n_duplicates=rows.n_duplicates,
    )


def hold_out(clips: Sequence[TrainingClip], share: float) -> tuple[list[TrainingClip], list[TrainingClip]]:
    """Choose clips for validation: whole chapters where one or some are about the share, else by text; always the same.

    No text is on both sides. Below ``FEWEST_TO_HOLD_OUT_OF`` clips nothing is held out.

    Returns:
        Clips to learn, and clips held out.
    """
    if share <= 0 or len(clips) < FEWEST_TO_HOLD_OUT_OF:
        return list(clips), []
    wanted = share * len(clips)
    sizes = Counter(clip.chapter for clip in clips)
    fitting = [chapter for chapter, n in sizes.items() if chapter is not None and wanted / 2 <= n <= 2 * wanted]
    if fitting and len(sizes) > 2:
        nearest = min(fitting, key=lambda chapter: abs(sizes[chapter] - wanted))
        texts = {clip.text for clip in clips if clip.chapter == nearest}
    else:
        order = sorted({clip.text for clip in clips}, key=lambda text: hashlib.sha256(text.encode()).digest())
        texts = set(order[: max(1, round(share * len(order)))])
    train = [clip for clip in clips if clip.text not in texts]
    return (train, [clip for clip in clips if clip.text in texts]) if train else (list(clips), [])


def spread(files: Sequence[Path], n: int) -> list[Path]:
    """At most ``n`` files that are there, evenly spread over their order."""
    there = [path for path in files if path.is_file()] if n else []
    return [there[place * len(there) // n] for place in range(n)] if len(there) > n else there


def _list_rejected(rows: Rows, to: Path | None) -> None:
    if rows.n_duplicates:
        logger.warning("%d lines repeat another one and are left out", rows.n_duplicates)
    if rows.rejected:
        logger.warning("%d bad lines are left out: %s", len(rows.rejected), rows.counts())
    if to is not None:
        to.unlink(missing_ok=True)  # an earlier attempt's, of another manifest
        if rows.rejected:
            write_rows(to, rows.rejected)


def _of_speaker(manifest: Path, rows: Rows, wanted: str | None) -> Rows:
    names = {_slot_name(row.clip.speaker) for row in rows.good}
    if wanted is None or len(names) <= 1:
        return rows
    if wanted not in names:
        raise UserError(
            "several_speakers",
            f"{manifest} holds {len(names)} speakers: {', '.join(sorted(names))}; none is {wanted!r}.",
            "Name one of them with speaker=…, or leave speaker out to train them all.",
        )
    return _only(rows, wanted)


def _slots(manifest: Path, rows: Rows, wanted: str | None) -> dict[str, str]:
    """The manifest's speakers and the names of their voices."""
    spelt = list(dict.fromkeys(row.clip.speaker for row in rows.good))
    if wanted is not None:
        return dict.fromkeys(spelt, wanted)
    slots = {speaker: _slot_name(speaker) for speaker in spelt}
    by_slot: dict[str, str] = {}
    for speaker, slot in slots.items():
        other = by_slot.setdefault(slot, speaker)
        if other.strip().lower() != speaker.strip().lower():
            raise UserError(
                "speakers_collide",
                f"{manifest} holds the speakers {other!r} and {speaker!r}, whose voices would both be called {slot!r}.",
                "Rename one of them in the manifest.",
            )
    return slots or {"speaker": "speaker"}


def _check_references(references: Sequence[Path], speakers: Sequence[str]) -> None:
    if references and len(speakers) > 1:
        raise UserError(
            "several_speakers",
            f"references are of one voice, and {len(speakers)} are trained: {', '.join(speakers)}.",
            "Name one with speaker=…, or leave references out.",
        )


def _chapter(source: Source | None) -> tuple[str, int] | None:
    return None if source is None or source.chapter is None else (source.recording, source.chapter)


def _only(rows: Rows, name: str) -> Rows:
    """The rows of one speaker, and the bad lines that may be theirs."""
    return Rows(
        good=[row for row in rows.good if _slot_name(row.clip.speaker) == name],
        rejected=[row for row in rows.rejected if row.speaker is None or _slot_name(row.speaker) == name],
        n_duplicates=rows.n_duplicates,
    )


def _slot_name(speaker: str) -> str:
    """A name that stock qwen_tts can look up: lower case, no spaces."""
    name = re.sub(r"[^a-z0-9_-]+", "-", speaker.lower()).strip("-_")[:40]
    return name if re.match(r"[a-z]", name) else f"speaker-{name}".rstrip("-")
