"""``report.html`` of a narration: the audiobook, waveforms of the chapters, and the passages to listen to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.narrate.report.book_index import BookIndex, IndexedChapter, IndexedPassage
from jobs.narrate.script.chapters import Section
from jobs.narrate.script.passages import Passage
from jobs.narrate.sound.timeline import Timeline
from jobs.narrate.speech.take_store import KeptTake
from jobs.reports import write_page

WIDTH, HEIGHT = 720, 48
PEAK_S = 0.25
MOST_DOUBTFUL, MOST_SKIPPED = 300, 100


@dataclass
class Waveform:
    """Peaks of a chapter, collected while it is written."""

    peaks: list[float] = field(default_factory=list)
    _rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))

    def add(self, block: Samples) -> None:
        """Add samples."""
        n = int(PEAK_S * CLIP_RATE_HZ)
        joined = np.concatenate([self._rest, block])
        n_whole = len(joined) // n * n
        self.peaks += np.abs(joined[:n_whole].reshape(-1, n)).max(axis=1).tolist() if n_whole else []
        self._rest = joined[n_whole:]

    def draw(self) -> str:
        """Return the outline as the path of an SVG of ``WIDTH`` x ``HEIGHT``."""
        if not self.peaks:
            return ""
        columns = [max(part) for part in np.array_split(np.asarray(self.peaks), min(WIDTH, len(self.peaks)))]
        step, middle = WIDTH / len(columns), HEIGHT / 2
        above = [f"{place * step:.1f},{middle * (1 - peak):.1f}" for place, peak in enumerate(columns)]
        below = [f"{place * step:.1f},{middle * (1 + peak):.1f}" for place, peak in enumerate(columns)]
        return f"M{' L'.join([*above, *reversed(below)])} Z"


@dataclass(frozen=True)
class ChapterRow:
    """A chapter as it was written."""

    timeline: Timeline
    start_s: float
    lufs: float
    peak_dbfs: float
    waveform: str


def write_report(
    path: Path,
    title: str,
    rows: Sequence[ChapterRow],
    takes: Mapping[str, KeptTake],
    keys: Mapping[Passage, str],
    skipped: Sequence[Section],
    notes: Sequence[str],
    suffix: str | None,
) -> None:
    """Write the page beside ``book.m4b`` and ``passages/``.

    Args:
        path: of the page.
        title: of the book.
        rows: its chapters.
        takes: that are used, by key.
        keys: of the passages.
        skipped: parts that are not read.
        notes: on how the text was read.
        suffix: of the chapters' files; None: there are none.
    """
    doubtful = []
    for row in rows:
        for placed in row.timeline.placed:
            key = keys[placed.passage]
            take = takes[key]
            if take.reasons:
                doubtful.append(
                    {
                        "text": placed.passage.text,
                        "said": placed.passage.said,
                        "chapter": row.timeline.chapter.title,
                        "at": clock(row.start_s + placed.start / CLIP_RATE_HZ),
                        "source": f"passages/{key}_{take.attempt}.wav",
                        "rating": take.rating,
                        "reasons": take.reasons,
                    }
                )
    n_samples = sum(row.timeline.n_samples for row in rows)
    write_page(
        path,
        "narration",
        title=title,
        length=clock(n_samples / CLIP_RATE_HZ),
        n_passages=sum(len(row.timeline.placed) for row in rows),
        chapters=[
            {
                "number": row.timeline.chapter.number,
                "title": row.timeline.chapter.title,
                "start": clock(row.start_s),
                "length": clock(row.timeline.n_samples / CLIP_RATE_HZ),
                "lufs": row.lufs,
                "peak": row.peak_dbfs,
                "waveform": row.waveform,
                "audio": chapter_file(row, suffix),
            }
            for row in rows
        ],
        width=WIDTH,
        height=HEIGHT,
        doubtful=doubtful[:MOST_DOUBTFUL],
        n_doubtful=len(doubtful),
        skipped=[(section.title, section.why_skipped) for section in skipped[:MOST_SKIPPED]],
        notes=notes,
    )


def index_book(
    title: str,
    rows: Sequence[ChapterRow],
    takes: Mapping[str, KeptTake],
    keys: Mapping[Passage, str],
    suffix: str | None,
) -> BookIndex:
    """Return the index of a book; ``suffix`` is that of the chapters' files, None where there are none."""
    return BookIndex(
        title=title,
        chapters=tuple(
            IndexedChapter(
                number=row.timeline.chapter.number,
                title=row.timeline.chapter.title,
                start_s=round(row.start_s, 3),
                duration_s=round(row.timeline.n_samples / CLIP_RATE_HZ, 3),
                audio=chapter_file(row, suffix),
                passages=tuple(
                    IndexedPassage(
                        key=keys[placed.passage],
                        attempt=takes[keys[placed.passage]].attempt,
                        text=placed.passage.text,
                        said=placed.passage.said,
                        start_s=round(placed.start / CLIP_RATE_HZ, 3),
                        end_s=round(placed.end / CLIP_RATE_HZ, 3),
                        rating=takes[keys[placed.passage]].rating,
                        reasons=takes[keys[placed.passage]].reasons,
                    )
                    for placed in row.timeline.placed
                ),
            )
            for row in rows
        ),
    )


def chapter_file(row: ChapterRow, suffix: str | None) -> str:
    """Return the name of a chapter's file; empty: there is none."""
    return f"{row.timeline.chapter.number:03d}.{suffix}" if suffix else ""


def clock(seconds: float) -> str:
    """Return a time as ``1:02:03``."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
