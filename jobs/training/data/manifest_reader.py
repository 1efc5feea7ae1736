"""Reader of coded manifests: each line becomes a row or a rejection with a reason; no line stops the reading."""

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
from jobs.dataset.manifest import MAX_NAME, Clip, Row
from jobs.errors import UserError
from jobs.files.json_documents import parse_json
from jobs.files.reading import read_lines
from jobs.param_types import AUTO, first_fault
from jobs.runner.job_kind import find_makers

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


class RowRejection(Row):
    """A line of ``rejected_rows.jsonl``: a line of the manifest that cannot be trained on, and the reason."""

    file: str
    line: int
    reason: Reason
    detail: str
    speaker: str | None = None
    """As the manifest spells it; None if the line has no readable speaker."""


SLOWER_S = 10.0  # a copy of the longest clip may be longer by so much


@dataclass(frozen=True)
class CodedRow:
    """A line that can be trained on.

    Attributes:
        clip: the line without its codes.
        language: lower case, ``auto`` or a language of the model.
        codes: (frames, 16) int64.
        copies: codes of its changed copies.
    """

    line: int
    clip: Clip
    text: str
    language: str
    codes: torch.Tensor
    copies: Sequence[torch.Tensor] = ()


@dataclass
class CodedRows:
    """Rows of a manifest.

    Attributes:
        accepted: rows for training and validation, in the order of the manifest.
        n_duplicates: lines left out because an earlier one has the same speaker, text and codes.
    """

    accepted: list[CodedRow] = field(default_factory=list)
    rejected: list[RowRejection] = field(default_factory=list)
    n_duplicates: int = 0

    def counts(self) -> dict[str, int]:
        """Count the rejected lines by reason, the most frequent first."""
        return dict(Counter(row.reason for row in self.rejected).most_common())


class _RowRejected(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason, self.detail = reason, detail


def read_coded_rows(manifest: Path, *, languages: Sequence[str], codebook_size: int, max_clip_s: float) -> CodedRows:
    """Read all lines of a coded manifest. Blank lines are skipped, but count in line numbers.

    Raises:
        UserError: ``manifest_missing``, ``file_not_regular``, ``line_too_long``.
    """
    rows = CodedRows()
    seen: dict[bytes, int] = {}
    try:
        for number, line in enumerate(read_lines(manifest), 1):
            if not line.strip():
                continue
            try:
                row = _check_line(number, _parse_line(line), languages, codebook_size, max_clip_s)
            except _RowRejected as rejection:
                rows.rejected.append(
                    RowRejection(
                        file=str(manifest),
                        line=number,
                        reason=rejection.reason,
                        detail=rejection.detail,
                        speaker=_read_speaker(line),
                    )
                )
                continue
            earlier = seen.setdefault(_fingerprint(row), len(rows.accepted))
            if earlier == len(rows.accepted):
                rows.accepted.append(row)
                continue
            rows.n_duplicates += 1
            if row.clip.split == "validation":  # a clip that is held out must not be trained on
                rows.accepted[earlier] = row
    except OSError as error:
        raise UserError("manifest_missing", f"Cannot open {manifest}: {error.strerror}.", "Check the path.") from error
    return rows


def check_rejected_share(rows: CodedRows, manifest: Path, max_bad_share: float, listed_in: str) -> None:
    """Refuse a manifest with too many rejected lines.

    Raises:
        UserError: ``too_many_bad_rows``.
    """
    n_rejected = len(rows.rejected)
    n_lines = len(rows.accepted) + rows.n_duplicates + n_rejected
    if n_rejected <= max_bad_share * n_lines:
        return
    counts = ", ".join(f"{reason} {count}" for reason, count in rows.counts().items())
    first = "; ".join(f"line {row.line}: {row.detail}" for row in rows.rejected[:3])
    raise UserError(
        "too_many_bad_rows",
        f"{manifest}: {n_rejected} of {n_lines} lines cannot be trained on ({counts}), more than max_bad_share="
        f"{max_bad_share:g}. {first}.",
        f"All are listed in {listed_in}. Fix or delete them, or make the manifest again with {find_makers('coded')}.",
    )


def _parse_line(line: bytes) -> Clip:
    try:
        return Clip.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        is_broken = first["type"] == "json_invalid" or not first["loc"]
        raise _RowRejected("line_unreadable" if is_broken else "field_invalid", first_fault(error)) from error


def _check_line(line: int, clip: Clip, languages: Sequence[str], codebook_size: int, max_clip_s: float) -> CodedRow:
    if clip.audio_codes is None:
        raise _RowRejected("codes_missing", f"no audio_codes; {find_makers('coded')} adds them")
    codes = _check_codes(clip.audio_codes, codebook_size, max_clip_s)
    copies = [_check_codes(copy.codes, codebook_size, max_clip_s + SLOWER_S) for copy in clip.changed_copies or ()]
    text = clip.text.strip()
    if not text:
        raise _RowRejected("text_empty", "no text")
    if clip.language != AUTO and clip.language not in languages:
        raise _RowRejected(
            "language_unknown", f"language {clip.language!r}; the model has auto, {', '.join(sorted(languages))}"
        )
    without = clip.model_copy(update={"audio_codes": None, "changed_copies": None})
    return CodedRow(line, without, text, clip.language, codes, copies)


def _check_codes(codes: list[list[int]], codebook_size: int, max_clip_s: float) -> torch.Tensor:
    if not codes:
        raise _RowRejected("no_frames", "audio_codes has no frame")
    widths = {len(frame) for frame in codes}
    if widths != {N_CODEBOOKS}:
        raise _RowRejected(
            "codes_invalid", f"frames of {sorted(widths)[:5]} codes; the 12 Hz codec has {N_CODEBOOKS} codebooks"
        )
    seconds = len(codes) / FRAMES_PER_SECOND
    if seconds > max_clip_s:
        raise _RowRejected("clip_too_long", f"{seconds:.1f} s; max_clip_s is {max_clip_s:g}")
    lowest, highest = min(map(min, codes)), max(map(max, codes))
    if lowest < 0 or highest >= codebook_size:
        raise _RowRejected(
            "codes_invalid",
            f"codes from {lowest} to {highest}; those of the model are 0 to {codebook_size - 1} (the tokenizer "
            "must be the one of base_model)",
        )
    return torch.tensor(codes, dtype=torch.long)


def _fingerprint(row: CodedRow) -> bytes:
    spoken = json.dumps([row.clip.speaker, row.text]).encode()
    return hashlib.sha256(spoken + row.codes.numpy().tobytes()).digest()


def _read_speaker(line: bytes) -> str | None:
    """Read the speaker of a rejected line."""
    try:
        found: Any = parse_json(line)
    except ValueError:
        return None
    return str(found.get("speaker", "speaker"))[:MAX_NAME] if isinstance(found, dict) else None
