"""The JSONL files that people keep: one pydantic model a line, paths relative to the manifest's folder; their totals.

Imports pydantic and the standard library only: the server checks manifests with it before a job exists.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.asr.transcript import Word as Word
from jobs.errors import UserError
from jobs.files.atomic_io import open_text
from jobs.param_types import first_fault
from jobs.runner.job_kind import Output, find_makers

Step = Literal["ingested", "aligned", "coded"]
INGESTED = Output(
    "ingested", "manifest", "out_dir", "train_manifest.jsonl", default="{home}/datasets/{voice}", in_dataset=True
)
"""Output of every kind that makes a dataset."""
DATASET_NAMES = (
    *("clips", "train_manifest.jsonl", "rejections.jsonl", "report.json", "report.html", "report", "exports"),
    *(".quality.jsonl", ".batch_state.json"),
)
"""Names that such a kind writes in the dataset's folder."""


class Row(BaseModel):
    """Base of all rows: unknown fields are kept for the tools that wrote them."""

    model_config = ConfigDict(extra="allow")


class Source(Row):
    """Place of a clip in a recording. Times in seconds from the recording's start."""

    recording: str
    chapter: int | None = None
    start_s: float
    end_s: float


class Clip(Row):
    """A line of ``train_manifest.jsonl`` (24 kHz mono clips), and what later steps add to it."""

    audio: str
    text: str
    speaker: str = "speaker"
    language: str = "english"
    duration_s: float | None = None
    source: Source | None = None
    quality: dict[str, float] = Field(default_factory=dict)
    split: Literal["train", "validation"] = "train"
    transcript: Literal["book", "asr", "subtitle", "draft", "curated"] | None = None
    words: list[Word] | None = None
    """Added by ``align``."""
    ref_audio: str | None = None
    """Chosen when the dataset is judged, else by ``convert_codes``: the speaker embedding is made from this clip."""
    audio_codes: list[list[int]] | None = None
    """Added by ``convert_codes``: (frames, 16) codebook indices at 12.5 frames a second."""


class Rejection(Row):
    """A line of ``rejections.jsonl``: a part of the recording, or a clip, that was not kept, and the reason."""

    source: Source
    reason: str
    detail: str = ""
    text: str | None = None
    value: float | None = None
    """Measured value, where a limit was broken, and the limit."""
    limit: float | None = None
    audio: str | None = None
    """The clip's file, where one was made; it is not in the manifest."""


class RejectionError(Exception):
    """Unusable clip, with a stable ``reason``; the loop over the clips records it as a ``Rejection``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


RowT = TypeVar("RowT", bound=Row)


def read_rows(path: Path, model: type[RowT]) -> Iterator[RowT]:
    """Read a JSONL manifest lazily.

    Raises ``UserError``: ``manifest_unreadable`` with the line number of the first bad line.
    """
    return (row for _, row in read_numbered_rows(path, model))


def read_numbered_rows(path: Path, model: type[RowT]) -> Iterator[tuple[int, RowT]]:
    """Read a JSONL manifest lazily, each row with the number of its line; the first line is 1.

    Raises ``UserError``: ``manifest_unreadable`` with the line number of the first bad line.
    """
    try:
        stream = path.open(encoding="utf-8")
    except OSError as error:
        raise UserError("manifest_missing", f"Cannot open {path}: {error.strerror}.", "Check the path.") from error
    with stream:
        number = 0
        while True:
            number += 1
            try:
                line = stream.readline()
            except UnicodeDecodeError as error:
                raise _unreadable(path, number, "not UTF-8 text") from error
            if not line:
                return
            if not line.strip():
                continue
            try:
                yield number, model.model_validate_json(line)
            except ValidationError as error:
                raise _unreadable(path, number, first_fault(error)) from error


def _unreadable(path: Path, number: int, why: str) -> UserError:
    return UserError(
        "manifest_unreadable",
        f"{path}, line {number}: {why}.",
        "Every line must be one JSON object in UTF-8. Correct or delete that line.",
    )


def write_rows(path: Path, rows: Iterable[BaseModel]) -> int:
    """Write a JSONL manifest under a temporary name, flush it to disk, rename it. Returns the number of rows."""
    n_rows = 0
    with open_text(path) as stream:
        for row in rows:
            stream.write(json.dumps(row.model_dump(exclude_none=True), ensure_ascii=False) + "\n")
            n_rows += 1
    return n_rows


def check_step(path: Path, needs: Step) -> Clip:
    """Check that a manifest's first line is of the step that a tool needs, and return it.

    Raises ``UserError``: ``manifest_missing``, ``manifest_unreadable``, ``manifest_empty`` or ``manifest_wrong_step``;
    the last names the tool that makes the right one.
    """
    first = next(read_rows(path, Clip), None)
    if first is None:
        raise UserError("manifest_empty", f"{path} has no lines.", f"Make it with {find_makers(needs)}.")
    missing = (needs == "aligned" and first.words is None) or (needs == "coded" and first.audio_codes is None)
    if missing:
        lacks = "words" if needs == "aligned" else "audio_codes"
        raise UserError(
            "manifest_wrong_step",
            f"{path} has no {lacks!r} in its first line: it is not the output of {find_makers(needs)}.",
            f"Run {find_makers(needs)} on it first, then give the manifest that it writes.",
        )
    return first


def check_audio_inside(path: Path, root: Path, audio: str) -> Path:
    """Resolve a row's audio path and refuse one that leads out of the dataset's root.

    Raises ``UserError``: ``path_outside_dataset``.
    """
    resolved = (root / audio).resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise UserError(
            "path_outside_dataset",
            f"{path} names {audio!r}, which leads out of the dataset's folder {root}.",
            "Move the audio into the dataset's folder and name it relative to that folder.",
        )
    return resolved


USUAL_CLIP_S = 5.0  # taken for a clip whose line does not say how long it is


@dataclass
class Extent:
    """Totals of a manifest; ``seconds`` counts 5 s for each of the ``n_without_length`` clips."""

    n_clips: int = 0
    seconds: float = 0.0
    n_without_length: int = 0
    n_without_text: int = 0
    languages: Counter[str] = field(default_factory=Counter)


def length_of(row: Clip) -> float:
    """Return the seconds that a line's clip counts for."""
    return row.duration_s or USUAL_CLIP_S


def read_extent(manifest: Path) -> Extent:
    """Read all lines. Raises ``UserError``: ``manifest_missing``, ``manifest_unreadable``."""
    extent = Extent()
    for row in read_rows(manifest, Clip):
        extent.n_clips += 1
        extent.seconds += length_of(row)
        extent.n_without_length += row.duration_s is None
        extent.n_without_text += not any(character.isalnum() for character in row.text)
        extent.languages[row.language] += 1
    return extent


def summarise_extent(extent: Extent) -> dict[str, object]:
    """Return the totals for a dry run."""
    rare = {"clips_without_length": extent.n_without_length, "clips_without_text": extent.n_without_text}
    return {
        "clips": extent.n_clips,
        "hours": round(extent.seconds / 3600, 3),
        **{name: count for name, count in rare.items() if count},
    }
