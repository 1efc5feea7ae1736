"""``transcript.jsonl``: every sentence of a recording with its times, words, origin and score, before it is cut."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.dataset.manifest import ChapterNumber, FileName, RecordingSeconds, Row, Text, limit_rows, read_numbered_rows
from jobs.errors import UserError
from jobs.files.reading import check_regular
from jobs.ingest_audiobook.cut.clip_candidates import SaidSentence

MAX_BYTES = 256 << 20  # 100 hours have 120 MB
MAX_SENTENCES = 500_000
MAX_NAMED = 5
MAX_SPOKEN = 1_000  # words for a written one, as of a number of many digits
LONGEST_S = 600.0  # of a sentence; a chunk has 180 s


class SaidWord(TypedDict):
    """A word as it is written, seconds of the recording; ``spoken``: how it is said, if otherwise than usual."""

    word: str
    start_s: RecordingSeconds
    end_s: RecordingSeconds
    score: NotRequired[float]
    spoken: NotRequired[Annotated[list[str], Field(max_length=MAX_SPOKEN)]]


class Sentence(Row):
    """A line of ``transcript.jsonl``. Times are seconds of the recording; without ``words`` it is never cut inside."""

    recording: FileName = ""
    chapter: ChapterNumber | None = None
    start_s: RecordingSeconds
    end_s: RecordingSeconds
    text: Text
    origin: Literal["book", "asr", "subtitle"] = "subtitle"
    score: float | None = None
    words: Annotated[list[SaidWord], Field(max_length=1_000)] = Field(default_factory=list)

    @property
    def middle_s(self) -> float:
        """Time by which a sentence belongs to a chunk."""
        return (self.start_s + self.end_s) / 2


def make_sentence(said: SaidSentence, start_24k: int, recording: str, chapter: int | None) -> Sentence:
    """Make the row of a sentence of a chunk that begins at ``start_24k``."""

    def at(time_s: float) -> float:
        return round((start_24k + round(time_s * CLIP_RATE_HZ)) / CLIP_RATE_HZ, 6)

    words: list[SaidWord] = []
    for word in said.words:
        row = SaidWord(word=word.written, start_s=at(word.start_s), end_s=at(word.end_s))
        if word.score is not None:
            row["score"] = round(word.score, 3)
        if word.spoken is not None:
            row["spoken"] = list(word.spoken)
        words.append(row)
    scores = [word.score for word in said.words if word.score is not None]
    return Sentence(
        recording=recording,
        chapter=chapter,
        start_s=at(said.start_s),
        end_s=at(said.end_s),
        text=said.text,
        origin=said.origin or "subtitle",
        score=round(sum(scores) / len(scores), 3) if scores else None,
        words=words,
    )


def read_transcript(path: Path, names: Sequence[str]) -> list[list[Sentence]]:
    """Read the sentences of each recording, in the order of their times; one recording need not be named.

    Raises ``UserError``: ``manifest_unreadable`` with the first bad line, ``segments_empty``, ``segments_unclear``,
    ``file_too_large``, ``file_not_regular``, ``line_too_long``.
    """
    if (size := check_regular(path).st_size) > MAX_BYTES:
        raise UserError(
            "file_too_large",
            f"{path} has {size:,} bytes; at most {MAX_BYTES:,} of a transcript are read.",
            "Check that this is the right file.",
        )
    found: dict[str, list[Sentence]] = {name: [] for name in names}
    for number, row in limit_rows(read_numbered_rows(path, Sentence), path, MAX_SENTENCES):
        name = row.recording or (names[0] if len(names) == 1 else "")
        if name not in found:
            known = ", ".join(map(repr, names[:MAX_NAMED]))
            raise UserError(
                "segments_unclear",
                f"{path}, line {number}: there is no recording {name!r}; there are {known}"
                + (f" and {len(names) - MAX_NAMED} more." if len(names) > MAX_NAMED else "."),
                "Name in each line's recording the file that its times are of.",
            )
        found[name].append(row)
    if not any(found.values()):
        raise UserError("segments_empty", f"{path} holds no sentences.", "Give the transcript.jsonl of an ingest.")
    return [sorted(rows, key=lambda row: (row.start_s, row.end_s)) for rows in found.values()]


def sentences_between(rows: Sequence[Sentence], start_24k: int, end_24k: int) -> list[Sentence]:
    """Return the sentences whose middle lies between two positions in the recording."""
    start_s, end_s = start_24k / CLIP_RATE_HZ, end_24k / CLIP_RATE_HZ
    low = bisect_left(rows, start_s - LONGEST_S, key=attrgetter("start_s")) if start_24k > 0 else 0
    near = rows[low : bisect_left(rows, end_s, key=attrgetter("start_s"))]
    return [row for row in near if start_s <= max(row.middle_s, 0.0) < end_s]


def hash_sentences(rows: Sequence[Sentence]) -> str:
    """Return a digest of what decides how sentences are cut."""
    content: list[Any] = [
        [row.text, row.start_s, row.end_s, row.origin]
        + [[word["word"], word["start_s"], word["end_s"], word.get("spoken")] for word in row.words]
        for row in rows
    ]
    return hashlib.sha256(json.dumps(content).encode("utf-8", "surrogatepass")).hexdigest()
