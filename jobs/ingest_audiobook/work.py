"""An audiobook becomes a dataset, unit by unit; a killed job goes on with the units that are not made yet."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.audio.container import empty
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.ingest_audiobook.input.source_files import Book, check_chapters, open_book, selected_units
from jobs.ingest_audiobook.input.speech_chunks import to_24k
from jobs.ingest_audiobook.input.work_units import Unit, length_s
from jobs.ingest_audiobook.output.ingest_state import IngestState, UnitRecord, fingerprint
from jobs.ingest_audiobook.output.malloc import return_large_blocks
from jobs.ingest_audiobook.output.unit_builder import Event, Heard, empty_record
from jobs.ingest_audiobook.output.worker_pool import lanes, made_by_hands, made_here
from jobs.ingest_audiobook.params import Params, Result, transcript_source
from jobs.ingest_audiobook.text.text_sources import Transcript, make_transcript
from jobs.runner.worker.context import JobContext

logger = logging.getLogger(__name__)

ALONE_S = 600.0  # of audio; less is done sooner than other processes have started


@dataclass(frozen=True)
class Clips:
    """All clips of a book, and how they came about."""

    dataset: Path
    book: Book
    state: IngestState
    transcript: Transcript


def run(params: Params, context: JobContext) -> Result:
    """Make the dataset. See ``jobs.ingest_audiobook.params``.

    Raises:
        UserError: unreadable audio, text or segments, ``dataset_differs``, ``chapter_unknown``, ``nothing_kept``,
            and Whisper's ``model_unavailable``.
    """
    made = make_clips(params, context)
    from jobs.ingest_audiobook.output.build_report import (
        finish,  # torch and a gigabyte, which cutting clips does without
    )

    return finish(params, context, made.dataset, made.book, made.state.finished(), made.transcript)


def make_clips(params: Params, context: JobContext) -> Clips:
    """Cut the recordings into clips with their texts; what an earlier attempt made is not made again.

    Raises:
        UserError: as ``run``, but ``nothing_kept``.
    """
    return_large_blocks()
    audio = Path(params.audio)
    roots = context.settings.roots if audio.is_dir() else None
    book = open_book(audio, roots)
    check_chapters(params.validation_chapters, book)
    units = selected_units(book, params)
    transcript = make_transcript(params, book, roots)
    dataset = Path(params.out_dir) if params.out_dir else context.folder / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)
    paths = [recording.path for recording in book.recordings]
    state = IngestState(dataset, fingerprint(params, paths, book.names))
    state.clean()
    progress = _Progress(context, book, units, state)
    n_left = len(units) - progress.n_taken
    logger.info("Ingesting %r: %d of %d units are left, text: %s.", audio.name, n_left, len(units), transcript.origin)
    context.raise_if_cancelled()
    progress.take_over()
    for event in _made(params, book, units, transcript, state, progress):
        progress.note(event)
        context.raise_if_cancelled()
    if not progress.done_s:
        raise empty(audio)
    state.clean(all_of_it=True)
    return Clips(dataset, book, state, transcript)


def _made(
    params: Params, book: Book, units: Sequence[Unit], transcript: Transcript, state: IngestState, progress: _Progress
) -> Iterator[Event]:
    left = [unit for unit in units if not progress.needs_nothing(unit)]
    wanted = lanes(left, book)
    n_hands = min(params.workers or len(os.sched_getaffinity(0)), len(wanted))
    is_short = params.workers == 0 and progress.total_s - progress.done_s < ALONE_S
    if n_hands <= 1 or is_short or transcript_source(params) == "whisper":  # which has threads, or the GPU
        return made_here(wanted, book, params, transcript, state.staged, progress.needs_nothing)
    logger.info("%d processes share the work.", n_hands)
    return made_by_hands(wanted, params, state.staged, n_hands, progress.needs_nothing)


class _Progress:
    """Takes units over in their order, as soon as all before them are made, and tells how far the work is."""

    def __init__(self, context: JobContext, book: Book, units: Sequence[Unit], state: IngestState) -> None:
        self._context, self._book, self._units, self._state = context, book, units, state
        self._ended: set[int] = set()  # recordings whose end has been heard
        self._heard_s: dict[int, float] = {}  # of units that are not taken over
        self.n_taken = self._n_clips = 0
        self.done_s = self._kept_s = 0.0
        for record in state.finished():
            self._count(record)

    @property
    def total_s(self) -> float:
        """Seconds that the containers promise of what was selected."""
        return sum(length_s(unit, self._book.recordings[unit.recording].info) for unit in self._units)

    def needs_nothing(self, unit: Unit) -> bool:
        """True for a unit that is made, or lies behind its recording's end."""
        is_behind = unit.index >= self.n_taken and unit.recording in self._ended
        return unit.index < self.n_taken or is_behind or self._state.is_staged(unit.index)

    def note(self, event: Event) -> None:
        """Take over what can be, and tell."""
        if isinstance(event, Heard):
            self._heard_s[event.unit] = self._heard_s.get(event.unit, 0.0) + event.heard_s
            self._tell()
        else:
            self.take_over()

    def take_over(self) -> None:
        """Number the clips of all units whose turn it is."""
        while self.n_taken < len(self._units):
            unit = self._units[self.n_taken]
            if self._state.is_staged(unit.index):
                record = self._state.take_over(unit.index, self._n_clips)
            elif unit.recording in self._ended:
                rate = self._book.recordings[unit.recording].info.sample_rate_hz
                record = empty_record(unit, to_24k(unit.start, rate)).model_copy(update={"is_recording_end": True})
                self._state.add(record)
            else:
                return
            self._count(record)
            if record.end_24k > record.start_24k:
                self._tell()

    def _count(self, record: UnitRecord) -> None:
        self.n_taken += 1
        self._heard_s.pop(record.index, None)
        self._n_clips += len(record.clips)
        self.done_s += (record.end_24k - record.start_24k) / SAMPLE_RATE_HZ
        self._kept_s += sum(clip.duration_s or 0.0 for clip in record.clips)
        if record.is_recording_end:
            self._ended.add(record.recording)

    def _tell(self) -> None:
        done_s = self.done_s + sum(self._heard_s.values())
        total_s = self.total_s
        if self._units and self.n_taken == len(self._units):
            total_s = done_s
        self._context.progress(
            round(done_s / 3600, 6),
            round(max(total_s, done_s) / 3600, 6) if total_s else None,
            f"{self._n_clips} clips of "
            + (f"{self.done_s / 60:.1f} minutes" if self.done_s < 3600 else f"{self.done_s / 3600:.2f} hours"),
            kept_s=self._kept_s,
            rejected_s=self.done_s - self._kept_s,
        )
