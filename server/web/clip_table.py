"""Clips and rejections of a dataset as lines of a table: read once, filtered, sorted, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jobs.dataset.corrections.edits import Edit
from jobs.dataset.manifest import (
    Source,
)
from jobs.dataset.rejection_reasons import SILENCE

PAGE = 50


@dataclass(frozen=True, slots=True)
class ClipLine:
    """A clip or rejection as the ingest has it, and what corrections want of it.

    Attributes:
        number: place in the table, from 0.
        key: see ``jobs.dataset.corrections.places.key_of``.
        audio: name of its file; empty: there is none.
        text: as the ingest has it.
        reason: of a rejection; empty for a clip.
        edit: None without corrections.
    """

    number: int
    key: str
    audio: str
    text: str
    speaker: str
    recording: str
    chapter: int | None
    start_s: float | None
    end_s: float | None
    duration_s: float
    score_name: str
    score: float | None
    reason: str
    detail: str
    edit: Edit | None = None

    @property
    def is_kept(self) -> bool:
        """True for what goes into the manifest when the corrections are applied."""
        return not self.reason if self.edit is None or self.edit.is_kept is None else self.edit.is_kept

    @property
    def shown_text(self) -> str:
        """Text with the corrections."""
        parts = self.edit.parts if self.edit is not None else ()
        return " / ".join(part.text if part.text is not None else self.text for part in parts) if parts else self.text

    @property
    def borders(self) -> tuple[float, float]:
        """Start and end in seconds of the recording, with the corrections; of a clip without a place, of itself."""
        start_s = self.start_s or 0.0
        end_s = self.end_s if self.end_s is not None else start_s + self.duration_s
        parts = self.edit.parts if self.edit is not None else ()
        if len(parts) == 1:
            start_s = parts[0].start_s if parts[0].start_s is not None else start_s
            end_s = parts[0].end_s if parts[0].end_s is not None else end_s
        return start_s, end_s

    @property
    def shown_s(self) -> float:
        """Length with the corrections, of all parts together."""
        start_s, end_s = self.borders
        parts = self.edit.parts if self.edit is not None else ()
        if len(parts) < 2:
            return end_s - start_s if parts else self.duration_s
        return sum((part.end_s or 0.0) - (part.start_s or 0.0) for part in parts)

    @property
    def place(self) -> Source | None:
        """Place in the recording, as the ingest has it."""
        if self.start_s is None or self.end_s is None:
            return None
        return Source(recording=self.recording, chapter=self.chapter, start_s=self.start_s, end_s=self.end_s)

    @property
    def is_corrected(self) -> bool:
        """True when any correction is in force."""
        return self.edit is not None and self.edit.changes

    @property
    def seen(self) -> str:
        """Id of its newest correction; empty: there is none."""
        return self.edit.newest if self.edit is not None else ""


@dataclass(frozen=True)
class Query:
    """Filter, order and page of a table; empty or None: no filter."""

    words: str = ""
    show: str = "speech"
    reason: str = ""
    chapter: str = ""
    speaker: str = ""
    least_s: float | None = None
    most_s: float | None = None
    most_score: float | None = None
    sort: str = "place"
    page: int = 0


ORDERS: Mapping[str, Callable[[ClipLine], tuple[object, ...]]] = {
    "place": lambda line: (line.recording, line.start_s or 0.0, line.number),
    "shortest": lambda line: (line.duration_s, line.number),
    "longest": lambda line: (-line.duration_s, line.number),
    "worst score": lambda line: (line.score is None, line.score or 0.0, line.number),
    "reason": lambda line: (line.reason, line.number),
    "speaker": lambda line: (line.speaker, line.number),
    "latest correction": lambda line: (-(line.edit.at if line.edit else 0.0), line.number),
}
SHOWS: Mapping[str, Callable[[ClipLine], bool]] = {
    "speech": lambda line: line.reason != SILENCE or line.is_kept,
    "everything": lambda line: True,
    "kept": lambda line: line.is_kept,
    "left out": lambda line: not line.is_kept,
    "corrected": lambda line: line.is_corrected,
}


@dataclass
class ClipTable:
    """Lines of one dataset.

    Attributes:
        lines: in the order of the recording.
        n_corrections: lines of the record.
        n_applied: of these, that the dataset's manifest follows from.
    """

    lines: list[ClipLine]
    n_corrections: int = 0
    n_applied: int = 0
    by_key: dict[str, ClipLine] = field(init=False)
    audio: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.by_key = {line.key: line for line in self.lines}
        self.audio = {line.audio for line in self.lines if line.audio}

    @property
    def n_waiting(self) -> int:
        """Corrections that are not applied yet."""
        return max(0, self.n_corrections - self.n_applied)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Reasons of rejections with their numbers, the most frequent first."""
        return Counter(line.reason for line in self.lines if line.reason).most_common()

    @property
    def score_name(self) -> str:
        """Measure of quality that the clips have; empty: none."""
        return next((line.score_name for line in self.lines if line.score_name), "")

    def options(self, name: str) -> list[str]:
        """Return the different values of ``speaker`` or ``chapter``, in the order of the table."""
        return list(
            dict.fromkeys(str(value) for line in self.lines if (value := getattr(line, name)) not in (None, ""))
        )

    def next_kept(self, line: ClipLine) -> ClipLine | None:
        """Return the clip that follows another one in its recording."""
        after = (one for one in self.lines[line.number + 1 :] if one.is_kept and one.recording == line.recording)
        return next(after, None) if line.place is not None else None

    def find(self, query: Query) -> list[ClipLine]:
        """Return all lines that a query wants, in its order."""
        words = query.words.casefold().split()
        shown = SHOWS.get(query.show, SHOWS["speech"])
        found = [
            line
            for line in self.lines
            if shown(line)
            and (not query.reason or line.reason == query.reason)
            and (not query.chapter or str(line.chapter) == query.chapter)
            and (not query.speaker or line.speaker == query.speaker)
            and (query.least_s is None or line.shown_s >= query.least_s)
            and (query.most_s is None or line.shown_s <= query.most_s)
            and (query.most_score is None or (line.score is not None and line.score <= query.most_score))
            and (not words or all(word in line.shown_text.casefold() for word in words))
        ]
        return found if query.sort == "place" else sorted(found, key=ORDERS.get(query.sort, ORDERS["place"]))
