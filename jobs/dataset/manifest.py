"""The JSONL files that people keep: one pydantic model a line, paths relative to the manifest's folder; their totals.

Imports pydantic and the standard library only: the server checks manifests with it before a job exists.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jobs.asr.transcript import Word as Word
from jobs.dataset.coded_fields import MOST_COPIES, ChangedCopy, Codes, CodesTokenizer
from jobs.errors import UserError
from jobs.files.atomic_io import open_text
from jobs.files.reading import LONGEST_PATH, read_lines, resolve_inside
from jobs.param_types import AUTO, first_fault
from jobs.runner.job_kind import Output, find_makers

Step = Literal["ingested", "aligned", "coded"]
INGESTED = Output(
    "ingested", "manifest", "out_dir", "train_manifest.jsonl", default="{home}/datasets/{voice}", in_dataset=True
)
"""Output of every kind that makes a dataset."""
CORRECTED_CLIPS, BEFORE_CORRECTIONS = "corrected", ".before_corrections"
"""Folders in a dataset: clips that corrections have cut, and its manifest and rejections as the ingest made them."""
DATASET_NAMES = (
    *("clips", "train_manifest.jsonl", "rejections.jsonl", "report.json", "report.html", "report", "exports"),
    *(".quality.jsonl", ".batch_state.json", f"{CORRECTED_CLIPS}/", f"{BEFORE_CORRECTIONS}/"),
)
"""Names that such a kind writes in the dataset's folder."""


LONGEST_TEXT = 10_000  # characters of a clip, as of a segment: 60 s of the fastest speech have 1,500
LONGEST_CLIP_S = 86_400.0
LONGEST_READ_S = 600.0  # training takes clips of at most 300 s
MAX_QUALITY_VALUES = 1_000
MAX_NAME = 200


def name_language(value: Any) -> Any:
    """Return a language's name in lower case, ``auto`` for none and for an empty one; any other value as it is."""
    if value is None:
        return AUTO
    return (value.strip().lower() or AUTO) if isinstance(value, str) else value


Name = Annotated[str, Field(max_length=MAX_NAME)]
LanguageName = Annotated[Name, BeforeValidator(name_language)]
"""Lower case. A row without a language means ``auto``, as in upstream's format: never English."""
FileName = Annotated[str, Field(max_length=LONGEST_PATH)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
ClipSeconds = Annotated[float, Field(ge=0, le=LONGEST_CLIP_S)]
ChapterNumber = Annotated[int, Field(ge=-(10**9), le=10**9)]
RecordingSeconds = Annotated[float, Field(ge=-1e9, le=1e9)]


class Row(BaseModel):
    """Base of all rows: unknown fields are kept for the tools that wrote them."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class Source(Row):
    """Place of a clip in a recording. Times in seconds from the recording's start."""

    recording: FileName
    chapter: ChapterNumber | None = None
    start_s: RecordingSeconds
    end_s: RecordingSeconds


class TimedWord(Word):
    """A word of a manifest: its times and score are numbers."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, from_attributes=True)


class Clip(Row):
    """A line of ``train_manifest.jsonl`` (24 kHz mono clips), and what later steps add to it."""

    audio: FileName
    text: Text
    speaker: Name = "speaker"
    language: LanguageName = AUTO
    instruct: Text | None = None
    """How the text is spoken, in words: "calmly, with a smile". Learnt, and asked for again by ``synthesize``."""
    duration_s: ClipSeconds | None = None
    source: Source | None = None
    quality: dict[str, float] = Field(default_factory=dict, max_length=MAX_QUALITY_VALUES)
    split: Literal["train", "validation"] = "train"
    transcript: Literal["book", "asr", "subtitle", "draft", "curated"] | None = None
    words: Annotated[list[TimedWord], Field(fail_fast=True)] | None = None
    """Added by ``align``."""
    ref_audio: FileName | None = None
    """The speaker embedding is made from this clip: as the manifest's author, the judging of the dataset, or
    ``convert_codes`` has chosen it."""
    audio_codes: Codes | None = None
    """Added by ``convert_codes``."""
    audio_sha256: Annotated[str, Field(max_length=64)] | None = None
    """Added by ``convert_codes``: of the file that the codes are of."""
    codes_tokenizer: CodesTokenizer | None = None
    """Added by ``convert_codes``; manifests of other tools and of earlier versions have none."""
    changed_copies: Annotated[list[ChangedCopy], Field(max_length=MOST_COPIES, fail_fast=True)] | None = None
    """Added by ``convert_codes`` where it was asked for them."""


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
ItemT = TypeVar("ItemT")
MOST_FAULTS = 20  # bad lines that an error lists
MOST_CLIPS = 500_000  # of a manifest: more than 1,000 hours of short clips


def read_rows(path: Path, model: type[RowT]) -> Iterator[RowT]:
    """Read a JSONL manifest lazily; raises as ``read_numbered_rows`` does."""
    return (row for _, row in read_numbered_rows(path, model))


def read_numbered_rows(
    path: Path, model: type[RowT], faults: list[tuple[int, str]] | None = None
) -> Iterator[tuple[int, RowT]]:
    """Read a JSONL manifest lazily, each row with the number of its line; the first line is 1.

    Args:
        faults: gets number and fault of each bad line, which is then passed over; None: the first is raised.

    Raises ``UserError``: ``manifest_missing``, ``file_not_regular``, ``line_too_long``; ``manifest_unreadable`` with
    the line number of the first bad line.
    """
    try:
        for number, line in enumerate(read_lines(path), 1):
            row, fault = _parse(line, model) if line.strip() else (None, "")
            if row is not None:
                yield number, row
            elif fault and faults is None:
                raise unreadable_lines(path, [(number, fault)])
            elif fault and faults is not None:
                faults.append((number, fault))
    except OSError as error:
        raise UserError("manifest_missing", f"Cannot open {path}: {error.strerror}.", "Check the path.") from error


def limit_rows(rows: Iterable[ItemT], path: Path, most: int) -> Iterator[ItemT]:
    """Iterate over rows; a file with more of them than work could use is refused.

    Raises ``UserError``: ``file_too_large``.
    """
    for number, row in enumerate(rows, 1):
        if number > most:
            raise UserError("file_too_large", f"{path} has more than {most:,} lines.", "Give a part of it.")
        yield row


def _parse(line: bytes, model: type[RowT]) -> tuple[RowT | None, str]:
    """Return a line's row, or None and the fault."""
    try:
        return model.model_validate_json(line.decode("utf-8-sig")), ""
    except UnicodeDecodeError:
        return None, "not UTF-8 text"
    except ValidationError as error:
        return None, first_fault(error)


def unreadable_lines(path: Path, faults: Sequence[tuple[int, str]], hint: str = "") -> UserError:
    """Return ``manifest_unreadable`` with the bad lines of a manifest, of many the first ones."""
    listed = "; ".join(f"line {number}: {why}" for number, why in faults[:MOST_FAULTS])
    more = f"; and {len(faults) - MOST_FAULTS} more lines" if len(faults) > MOST_FAULTS else ""
    return UserError(
        "manifest_unreadable",
        f"{path}, {listed}{more}.",
        f"Every line must be one JSON object in UTF-8. Correct or delete what is not{hint}.",
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


def file_inside(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder, which a link may not lead out of it.

    Raises ``UserError``: ``path_outside_dataset``.
    """
    path = resolve_inside(folder, name)
    if path is None:
        raise UserError(
            "path_outside_dataset",
            f"{folder / name} is a link that leads out of its folder.",
            "Put the file itself there.",
        )
    return path


USUAL_CLIP_S = 5.0  # taken for a clip whose line does not say how long it is


@dataclass
class Extent:
    """Totals of a manifest; ``seconds`` counts 5 s for each of the ``n_without_length`` clips."""

    n_clips: int = 0
    seconds: float = 0.0
    n_without_length: int = 0
    n_without_text: int = 0
    n_with_reference: int = 0
    languages: Counter[str] = field(default_factory=Counter)


def length_of(row: Clip) -> float:
    """Return the seconds that a line's clip counts for."""
    return row.duration_s or USUAL_CLIP_S


def read_extent(manifest: Path) -> Extent:
    """Read all lines. Raises ``UserError``: ``manifest_missing``, ``manifest_unreadable``."""
    extent = Extent()
    for row in limit_rows(read_rows(manifest, Clip), manifest, MOST_CLIPS):
        extent.n_clips += 1
        extent.seconds += length_of(row)
        extent.n_without_length += row.duration_s is None
        extent.n_without_text += not any(character.isalnum() for character in row.text)
        extent.n_with_reference += row.ref_audio is not None
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
