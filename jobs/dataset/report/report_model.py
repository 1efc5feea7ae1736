"""``report.json`` of a dataset: its fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, Field

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.dataset.manifest import Clip, Rejection


@dataclass(frozen=True)
class About:
    """Names, text and notes that a report has besides the clips.

    ``total_s`` is None for curated clips. ``chapter_titles`` are by (recording, chapter). ``n_words_placed`` of the
    book's words were found in the audio. ``book_text`` is the text that the clips' texts are cut from.
    """

    name: str
    voice: str
    total_s: float | None = None
    title: str | None = None
    author: str | None = None
    transcript: str = "none"
    chapter_titles: Mapping[tuple[str, int], str] = field(default_factory=dict)
    n_words_book: int | None = None
    n_words_placed: int | None = None
    book_text: str | None = None
    notes: Sequence[str] = ()


class Reason(BaseModel):
    """Number and length of the rejections with one reason."""

    reason: str
    n: int
    length_s: float
    meaning: str = ""


class ChapterRow(BaseModel):
    """Kept and rejected lengths of a chapter; ``kept_share`` is of its speech, without silence."""

    recording: str
    chapter: int | None
    title: str
    n_clips: int
    kept_s: float
    rejected_s: float
    silence_s: float
    kept_share: float | None
    reasons_s: dict[str, float]


class Report(BaseModel):
    """``report.json``. Seconds, to the sample at 24 kHz."""

    format: str = "tts-train dataset report 1"
    name: str
    title: str | None
    author: str | None
    voice: str
    transcript: str
    total_s: float | None
    kept_s: float
    rejected_s: float
    n_clips: int
    n_rejected: int
    """Rejections of speech; silence is not counted."""
    n_validation: int
    validation_s: float
    n_words_book: int | None = None
    n_words_placed: int | None = None
    reasons: list[Reason] = Field(default_factory=list)
    chapters: list[ChapterRow] = Field(default_factory=list)
    narrators: dict[str, dict[str, float | int | None]] = Field(default_factory=dict)
    references: dict[str, list[str]] = Field(default_factory=dict)
    quality: dict[str, dict[str, float]] = Field(default_factory=dict)
    """5th, 50th and 95th percentile of each measure over the kept clips, and the number of clips with it."""
    thresholds: dict[str, float | str | bool | None] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    summary: str = ""

    @property
    def reasons_s(self) -> dict[str, float]:
        """Seconds by reason."""
        return {reason.reason: reason.length_s for reason in self.reasons}

    @property
    def reasons_n(self) -> dict[str, int]:
        """Number by reason, most first."""
        return {reason.reason: reason.n for reason in sorted(self.reasons, key=lambda each: -each.n)}


def n_samples(row: Clip | Rejection) -> int:
    """Length of a clip or rejection in samples at 24 kHz."""
    source = row.source
    if source is None:
        return round((row.duration_s or 0.0) * CLIP_RATE_HZ) if isinstance(row, Clip) else 0
    return round(source.end_s * CLIP_RATE_HZ) - round(source.start_s * CLIP_RATE_HZ)


def total_samples(kept: Sequence[Clip], rejections: Sequence[Rejection]) -> int:
    """Length of all clips and rejections in samples at 24 kHz: the recording's."""
    return sum(map(n_samples, kept)) + sum(map(n_samples, rejections))


def seconds(samples: int) -> float:
    """Seconds of samples at 24 kHz, exact enough to give the sample back."""
    return round(samples / CLIP_RATE_HZ, 6)


def clock(length_s: float) -> str:
    """``1:02:03`` or ``2:03.4``."""
    minutes, rest = divmod(length_s, 60)
    if minutes < 60:
        return f"{int(minutes)}:{rest:04.1f}"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{int(rest):02d}"
