"""Progress of an ingest: staged units are finished in their order, and the share of audio that is done is reported."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.ingest_audiobook.input.source_files import SourceFiles
from jobs.ingest_audiobook.input.speech_chunks import to_24k
from jobs.ingest_audiobook.input.work_units import WorkUnit, nominal_length_s
from jobs.ingest_audiobook.output.ingest_state import IngestState, UnitRecord
from jobs.ingest_audiobook.output.unit_builder import BuildEvent, ChunkDone, empty_record
from jobs.runner.worker.context import JobContext


class IngestProgress:
    """Finishes each unit as soon as all units before it are finished, and reports progress.

    Args:
        context: receives the reports.
        files: the recordings.
        units: all selected units, in order.
        state: with the units that earlier attempts finished or staged.
    """

    def __init__(self, context: JobContext, files: SourceFiles, units: Sequence[WorkUnit], state: IngestState) -> None:
        self._context, self._files, self._units, self._state = context, files, units, state
        self._ended: set[int] = set()  # recordings whose end was reached
        self._unfinished_s: dict[int, float] = {}  # audio done in units that are not finished
        self.n_finished = self._n_clips = 0
        self.done_s = self._kept_s = 0.0
        for record in state.finished():
            self._count(record)

    @property
    def total_s(self) -> float:
        """Length of the selection by the durations that the containers state, seconds."""
        return sum(nominal_length_s(unit, self._files.recordings[unit.recording].info) for unit in self._units)

    def is_built(self, unit: WorkUnit) -> bool:
        """Return True for a unit that is finished or staged, or lies after its recording's end."""
        is_after_end = unit.index >= self.n_finished and unit.recording in self._ended
        return unit.index < self.n_finished or is_after_end or self._state.is_staged(unit.index)

    def note(self, event: BuildEvent) -> None:
        """Finish the units that can be, and report."""
        if isinstance(event, ChunkDone):
            self._unfinished_s[event.unit] = self._unfinished_s.get(event.unit, 0.0) + event.duration_s
            self._report()
        else:
            self.finish_staged()

    def finish_staged(self) -> None:
        """Number the clips of all units that have no unfinished unit before them."""
        while self.n_finished < len(self._units):
            unit = self._units[self.n_finished]
            if self._state.is_staged(unit.index):
                record = self._state.finish_staged(unit.index, self._n_clips)
            elif unit.recording in self._ended:
                rate = self._files.recordings[unit.recording].info.sample_rate_hz
                record = empty_record(unit, to_24k(unit.start, rate)).model_copy(update={"is_recording_end": True})
                self._state.add(record)
            else:
                return
            self._count(record)
            if record.end_24k > record.start_24k:
                self._report()

    def _count(self, record: UnitRecord) -> None:
        self.n_finished += 1
        self._unfinished_s.pop(record.index, None)
        self._n_clips += len(record.clips)
        self.done_s += (record.end_24k - record.start_24k) / SAMPLE_RATE_HZ
        self._kept_s += sum(clip.duration_s or 0.0 for clip in record.clips)
        if record.is_recording_end:
            self._ended.add(record.recording)

    def _report(self) -> None:
        done_s = self.done_s + sum(self._unfinished_s.values())
        total_s = self.total_s
        if self._units and self.n_finished == len(self._units):
            total_s = done_s
        self._context.progress(
            round(done_s / 3600, 6),
            round(max(total_s, done_s) / 3600, 6) if total_s else None,
            f"{self._n_clips} clips of "
            + (f"{self.done_s / 60:.1f} minutes" if self.done_s < 3600 else f"{self.done_s / 3600:.2f} hours"),
            kept_s=self._kept_s,
            rejected_s=self.done_s - self._kept_s,
        )
