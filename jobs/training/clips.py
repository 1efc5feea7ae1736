"""The coded manifest as training clips: every line is checked before anything heavy is loaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from jobs.errors import UserError
from jobs.qwen.layout import N_BOOKS
from jobs.speech.manifest import MAKER, Clip, check_audio_inside, read_rows


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
    """

    train: list[TrainingClip]
    validation: list[TrainingClip]
    speaker: str
    references: list[Path]
    manifest_sha256: str


def read_dataset(manifest: Path, *, speaker: str | None, languages: Sequence[str], codebook_size: int) -> Dataset:
    """Read and check a coded manifest.

    Args:
        manifest: ``train_manifest_qwen3.jsonl``.
        speaker: name to give the voice. If the manifest holds several speakers it must be one of them, and only that
            speaker's lines are used.
        languages: that the base model knows.
        codebook_size: codes of a book.

    Raises:
        UserError: ``codes_missing``, ``codes_invalid``, ``text_empty``, ``language_unknown`` (each with the line),
            ``several_speakers``, ``train_split_empty``, and what reading a manifest raises.
    """
    rows = list(_numbered_rows(manifest))
    name, rows = _one_speaker(manifest, rows, speaker)
    clips: dict[str, list[TrainingClip]] = {"train": [], "validation": []}
    references: dict[Path, None] = {}
    for line, row in rows:
        clips[row.split].append(_checked(manifest, line, row, languages, codebook_size))
        if row.ref_audio is not None:
            references[check_audio_inside(manifest, manifest.parent, row.ref_audio)] = None
    if not clips["train"]:
        raise UserError(
            "train_split_empty",
            f'{manifest} has {len(rows)} lines of {name!r}, none with split "train".',
            "Give some lines split train; validation clips are never learnt.",
        )
    return Dataset(
        train=clips["train"],
        validation=clips["validation"],
        speaker=name,
        references=list(references),
        manifest_sha256=hashlib.sha256(manifest.read_bytes()).hexdigest(),
    )


def _numbered_rows(manifest: Path) -> Iterator[tuple[int, Clip]]:
    """Rows with their line numbers; blank lines count but are no rows."""
    with manifest.open(encoding="utf-8") as stream:
        numbers = [number for number, line in enumerate(stream, 1) if line.strip()]
    return zip(numbers, read_rows(manifest, Clip), strict=True)


def _one_speaker(
    manifest: Path, rows: list[tuple[int, Clip]], wanted: str | None
) -> tuple[str, list[tuple[int, Clip]]]:
    names = {_slot_name(row.speaker) for _, row in rows}
    if wanted is not None and wanted in names:
        return wanted, [(line, row) for line, row in rows if _slot_name(row.speaker) == wanted]
    if len(names) > 1:
        raise UserError(
            "several_speakers",
            f"{manifest} holds {len(names)} speakers: {', '.join(sorted(names))}.",
            "A run trains one voice: name the one to learn with speaker=….",
        )
    return wanted or next(iter(names), "speaker"), rows


def _slot_name(speaker: str) -> str:
    """A name that stock qwen_tts can look up: lower case, no spaces."""
    name = re.sub(r"[^a-z0-9_-]+", "-", speaker.lower()).strip("-_")[:40]
    return name if re.match(r"[a-z]", name) else f"speaker-{name}".rstrip("-")


def _checked(manifest: Path, line: int, row: Clip, languages: Sequence[str], codebook_size: int) -> TrainingClip:
    where = f"{manifest}, line {line}"
    if not row.audio_codes:
        raise UserError("codes_missing", f"{where}: no audio_codes.", f"Make the manifest with {MAKER['coded']}.")
    widths = {len(frame) for frame in row.audio_codes}
    if widths != {N_BOOKS}:
        raise UserError(
            "codes_invalid",
            f"{where}: frames of {sorted(widths)} codes; the 12 Hz tokenizer has {N_BOOKS} books.",
            f"Make the manifest with {MAKER['coded']}.",
        )
    codes = torch.tensor(row.audio_codes, dtype=torch.long)
    if int(codes.min()) < 0 or int(codes.max()) >= codebook_size:
        raise UserError(
            "codes_invalid",
            f"{where}: codes from {int(codes.min())} to {int(codes.max())}; the model's books go from 0 to "
            f"{codebook_size - 1}.",
            "Run convert_codes with the tokenizer that belongs to base_model (toy to toy).",
        )
    if not row.text.strip():
        raise UserError("text_empty", f"{where}: no text.", "Mend or delete that line.")
    language = row.language.strip().lower()
    if language != "auto" and language not in languages:
        raise UserError(
            "language_unknown",
            f"{where}: language {row.language!r}; the model knows {', '.join(sorted(languages))}.",
            "Set the language of that line to one of them, or to auto.",
        )
    return TrainingClip(line=line, text=row.text.strip(), language=language, codes=codes)
