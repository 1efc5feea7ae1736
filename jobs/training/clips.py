"""What a run learns from: the clips of a coded manifest, checked before anything heavy is loaded."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from jobs.errors import UserError
from jobs.speech.manifest import check_audio_inside, write_rows
from jobs.training.rows import Rows, check_rejected, read_coded_rows

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
    """

    line: int
    text: str
    language: str
    codes: torch.Tensor


@dataclass(frozen=True)
class Dataset:
    """What a run learns from.

    Attributes:
        train: clips to learn.
        validation: clips held out; may be empty.
        speaker: name of the voice, lower case.
        references: distinct reference clips, in the order of the manifest.
        manifest_sha256: of the file.
        rejected: lines left out as bad, by reason.
        n_duplicates: lines left out because they repeat another one.
    """

    train: list[TrainingClip]
    validation: list[TrainingClip]
    speaker: str
    references: list[Path]
    manifest_sha256: str
    rejected: dict[str, int] = field(default_factory=dict)
    n_duplicates: int = 0


def read_dataset(
    manifest: Path,
    *,
    speaker: str | None,
    languages: Sequence[str],
    codebook_size: int,
    max_clip_s: float = MAX_CLIP_S,
    max_bad_share: float = MAX_BAD_SHARE,
    rejected_to: Path | None = None,
) -> Dataset:
    """Read and check a coded manifest.

    Args:
        manifest: ``train_manifest_qwen3.jsonl``.
        speaker: name to give the voice. If the manifest holds several speakers it must be one of them, and only that
            speaker's lines are used.
        languages: that the base model knows.
        codebook_size: codes of a book.
        max_clip_s: longer clips are bad.
        max_bad_share: of the lines that may be bad; they are left out.
        rejected_to: file for the list of bad lines; it is there afterwards if there are any, also after an error.

    Raises:
        UserError: ``manifest_missing``, ``too_many_bad_rows``, ``several_speakers``, ``train_split_empty``,
            ``path_outside_dataset``.
    """
    rows = read_coded_rows(manifest, languages=languages, codebook_size=codebook_size, max_clip_s=max_clip_s)
    name, rows = _one_speaker(manifest, rows, speaker)
    _list_rejected(rows, rejected_to)
    check_rejected(rows, manifest, max_bad_share, str(rejected_to or "rejected_rows.jsonl"))
    clips: dict[str, list[TrainingClip]] = {"train": [], "validation": []}
    references: dict[Path, None] = {}
    for row in rows.good:
        clips[row.clip.split].append(TrainingClip(row.line, row.text, row.language, row.codes))
        if row.clip.ref_audio is not None:
            references[check_audio_inside(manifest, manifest.parent, row.clip.ref_audio)] = None
    if not clips["train"]:
        raise UserError(
            "train_split_empty",
            f'{manifest} has {len(rows.good)} lines of {name!r}, none with split "train".',
            "Give some lines split train; validation clips are never learnt.",
        )
    return Dataset(
        train=clips["train"],
        validation=clips["validation"],
        speaker=name,
        references=list(references),
        manifest_sha256=hashlib.sha256(manifest.read_bytes()).hexdigest(),
        rejected=rows.counts(),
        n_duplicates=rows.n_duplicates,
    )


def _list_rejected(rows: Rows, to: Path | None) -> None:
    if rows.n_duplicates:
        logger.warning("%d lines repeat another one and are left out", rows.n_duplicates)
    if rows.rejected:
        logger.warning("%d bad lines are left out: %s", len(rows.rejected), rows.counts())
    if to is not None:
        to.unlink(missing_ok=True)  # an earlier attempt's, of another manifest
        if rows.rejected:
            write_rows(to, rows.rejected)


def _one_speaker(manifest: Path, rows: Rows, wanted: str | None) -> tuple[str, Rows]:
    names = {_slot_name(row.clip.speaker) for row in rows.good}
    if wanted is not None and wanted in names:
        return wanted, _only(rows, wanted)
    if len(names) > 1:
        raise UserError(
            "several_speakers",
            f"{manifest} holds {len(names)} speakers: {', '.join(sorted(names))}.",
            "A run trains one voice: name the one to learn with speaker=….",
        )
    return wanted or next(iter(names), "speaker"), rows


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
