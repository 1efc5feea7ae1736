"""Lines of a coded manifest: each becomes a clip or a rejection with its line and reason; none stops the reading."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError

from jobs.codec_format import FRAMES_PER_SECOND, N_CODEBOOKS
from jobs.dataset.manifest import MAKER, Clip, Row
from jobs.errors import UserError

Reason = Literal[
    "line_unreadable",
    "field_invalid",
    "codes_missing",
    "no_frames",
    "codes_invalid",
    "clip_too_long",
    "text_empty",
    "language_unknown",
]


class RejectedRow(Row):
    """A line of ``rejected_rows.jsonl``: a line of the manifest that cannot be learnt, and why."""

    file: str
    line: int
    reason: Reason
    detail: str
    speaker: str | None = None
    """As the manifest spells it; None if the line could not be read so far."""


@dataclass(frozen=True)
class CodedRow:
    """A line that can be learnt.

    Attributes:
        line: in the manifest, from 1.
        clip: the row without its codes.
        text: stripped.
        language: lower case, ``auto`` or a language of the model.
        codes: (frames, 16) int64.
    """

    line: int
    clip: Clip
    text: str
    language: str
    codes: torch.Tensor


@dataclass
class Rows:
    """What a manifest holds.

    Attributes:
        good: rows to learn or to hold out, in the order of the manifest.
        rejected: the bad ones.
        n_duplicates: lines left out because an earlier one has the same speaker, text and codes.
    """

    good: list[CodedRow] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    n_duplicates: int = 0

    def counts(self) -> dict[str, int]:
        """Rejected lines by reason, the most frequent first."""
        return dict(Counter(row.reason for row in self.rejected).most_common())


class _Bad(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason, self.detail = reason, detail


def read_coded_rows(manifest: Path, *, languages: Sequence[str], codebook_size: int, max_clip_s: float) -> Rows:
    """Read a coded manifest to its end, whatever its lines hold. Blank lines count but are no rows.

    Args:
        manifest: ``train_manifest_qwen3.jsonl``.
        languages: that the base model knows.
        codebook_size: codes of a book.
        max_clip_s: longer clips are rejected.

    Raises:
        UserError: ``manifest_missing``.
    """
    rows = Rows()
    seen: dict[bytes, int] = {}
    try:
        stream = manifest.open("rb")  # one line that is not UTF-8 must not stop the others
    except OSError as error:
        raise UserError("manifest_missing", f"Cannot open {manifest}: {error.strerror}.", "Check the path.") from error
    with stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = _checked(number, _parsed(line), languages, codebook_size, max_clip_s)
            except _Bad as bad:
                rows.rejected.append(
                    RejectedRow(
                        file=str(manifest), line=number, reason=bad.reason, detail=bad.detail, speaker=_speaker_of(line)
                    )
                )
                continue
            earlier = seen.setdefault(_fingerprint(row), len(rows.good))
            if earlier == len(rows.good):
                rows.good.append(row)
                continue
            rows.n_duplicates += 1
            if row.clip.split == "validation":  # held out once is held out: its twin must not be learnt
                rows.good[earlier] = row
    return rows


def check_rejected(rows: Rows, manifest: Path, max_bad_share: float, listed_in: str) -> None:
    """Refuse a manifest of which too much is bad.

    Args:
        rows: of the manifest.
        manifest: for the message.
        max_bad_share: of the lines, 0 to 1.
        listed_in: where the reader finds all rejections.

    Raises:
        UserError: ``too_many_bad_rows``.
    """
    n_bad = len(rows.rejected)
    n_lines = len(rows.good) + rows.n_duplicates + n_bad
    if n_bad <= max_bad_share * n_lines:
        return
    counts = ", ".join(f"{reason} {count}" for reason, count in rows.counts().items())
    first = "; ".join(f"line {row.line}: {row.detail}" for row in rows.rejected[:3])
    raise UserError(
        "too_many_bad_rows",
        f"{manifest}: {n_bad} of {n_lines} lines cannot be learnt ({counts}), more than max_bad_share="
        f"{max_bad_share:g}. {first}.",
        f"All are listed in {listed_in}. Mend or delete them, or make the manifest again with {MAKER['coded']}.",
    )


def _parsed(line: bytes) -> Clip:
    try:
        return Clip.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:3])
        torn = first["type"] == "json_invalid" or not where
        raise _Bad(
            "line_unreadable" if torn else "field_invalid", f"{where}: {first['msg']}" if where else first["msg"]
        ) from error


def _checked(line: int, clip: Clip, languages: Sequence[str], codebook_size: int, max_clip_s: float) -> CodedRow:
    if clip.audio_codes is None:
        raise _Bad("codes_missing", f"no audio_codes; {MAKER['coded']} adds them")
    if not clip.audio_codes:
        raise _Bad("no_frames", "audio_codes holds no frame")
    widths = {len(frame) for frame in clip.audio_codes}
    if widths != {N_CODEBOOKS}:
        raise _Bad("codes_invalid", f"frames of {sorted(widths)[:5]} codes; the 12 Hz codec has {N_CODEBOOKS}")
    seconds = len(clip.audio_codes) / FRAMES_PER_SECOND
    if seconds > max_clip_s:
        raise _Bad("clip_too_long", f"{seconds:.1f} s; max_clip_s is {max_clip_s:g}")
    lowest, highest = min(map(min, clip.audio_codes)), max(map(max, clip.audio_codes))
    if lowest < 0 or highest >= codebook_size:
        raise _Bad(
            "codes_invalid",
            f"codes from {lowest} to {highest}; the model's books go from 0 to {codebook_size - 1} (the tokenizer "
            "must be the one of base_model)",
        )
    text = clip.text.strip()
    if not text:
        raise _Bad("text_empty", "no text")
    language = clip.language.strip().lower()
    if language != "auto" and language not in languages:
        raise _Bad(
            "language_unknown", f"language {clip.language!r}; the model knows auto, {', '.join(sorted(languages))}"
        )
    codes = torch.tensor(clip.audio_codes, dtype=torch.long)
    return CodedRow(line, clip.model_copy(update={"audio_codes": None}), text, language, codes)


def _fingerprint(row: CodedRow) -> bytes:
    said = json.dumps([row.clip.speaker, row.text]).encode()
    return hashlib.sha256(said + row.codes.numpy().tobytes()).digest()


def _speaker_of(line: bytes) -> str | None:
    """The speaker of a line that is no good clip."""
    try:
        found: Any = json.loads(line)
    except ValueError:
        return None
    return str(found.get("speaker", "speaker")) if isinstance(found, dict) else None
