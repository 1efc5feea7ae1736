"""The job ``ingest_audiobook``: an audiobook becomes a dataset. A killed job resumes with the unfinished units.

Stages in their order are listed in ``jobs.ingest_audiobook``.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.audio.decoding import empty
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.files.folders import make_folder
from jobs.ingest_audiobook.input.audio_buffer import release_large_blocks
from jobs.ingest_audiobook.input.source_files import SourceFiles, open_source_files
from jobs.ingest_audiobook.input.speech_chunks import to_24k
from jobs.ingest_audiobook.input.work_units import (
    WorkUnit,
    batch_units,
    check_chapter_numbers,
    nominal_length_s,
    select_units,
)
from jobs.ingest_audiobook.output.ingest_state import IngestState, UnitRecord, compute_fingerprint
from jobs.ingest_audiobook.output.replaced_units import set_aside_edited, set_aside_unjoined
from jobs.ingest_audiobook.output.unit_builder import BuildEvent, empty_record
from jobs.ingest_audiobook.output.worker_pool import build_in_process, build_in_workers
from jobs.ingest_audiobook.params import Params, Result, uses_whisper
from jobs.ingest_audiobook.text.file_transcript import FileTranscript
from jobs.ingest_audiobook.text.text_sources import Transcript, make_transcript
from jobs.runner.worker.context import JobContext

logger = logging.getLogger(__name__)

SINGLE_PROCESS_S = 600.0  # of audio; less is done before other processes have started


class IngestProgress:
    """Finishes each unit as soon as all units before it are finished, and reports progress."""

    def __init__(self, context: JobContext, files: SourceFiles, units: Sequence[WorkUnit], state: IngestState) -> None:
        self._context, self._files, self._units, self._state = context, files, units, state
        self._ended: set[int] = set()  # recordings whose end was reached
        self._unfinished_s: dict[int, float] = {}  # audio done in units that are not finished
        self.n_finished = self._n_clips = 0
        self._next_number = state.next_number()
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
        return is_after_end or self._state.is_finished(unit.index) or self._state.is_staged(unit.index)

    def note(self, event: BuildEvent) -> None:
        """Finish the units that can be, and report."""
        if event.chunk_s:
            self._unfinished_s[event.unit] = self._unfinished_s.get(event.unit, 0.0) + event.chunk_s
            self._report()
        else:
            self.finish_staged()

    def finish_staged(self) -> None:
        """Number the clips of all units that have no unfinished unit before them."""
        while self.n_finished < len(self._units):
            unit = self._units[self.n_finished]
            if self._state.is_finished(unit.index):
                record = self._state.read(unit.index)
            elif self._state.is_staged(unit.index):
                record = self._state.finish_staged(unit.index, self._next_number)
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
        self._next_number = max([self._next_number, *(int(Path(clip.audio).stem) + 1 for clip in record.clips)])
        self.done_s += (record.end_24k - record.start_24k) / SAMPLE_RATE_HZ
        self._kept_s += sum(clip.duration_s or 0.0 for clip in record.clips)
        if record.is_recording_end:
            self._ended.add(record.recording)

    def _report(self) -> None:
        done_s = self.done_s + sum(self._unfinished_s.values())
        total_s = done_s if 0 < len(self._units) == self.n_finished else self.total_s
        self._context.progress(
            round(done_s / 3600, 6),
            round(max(total_s, done_s) / 3600, 6) if total_s else None,
            f"{self._n_clips} clips of "
            + (f"{self.done_s / 60:.1f} minutes" if self.done_s < 3600 else f"{self.done_s / 3600:.2f} hours"),
            kept_s=self._kept_s,
            rejected_s=self.done_s - self._kept_s,
        )


@dataclass(frozen=True)
class CutBook:
    """A book whose clips are all written."""

    files: SourceFiles
    state: IngestState
    transcript: Transcript


def run(params: Params, context: JobContext) -> Result:
    """Make the dataset. See ``jobs.ingest_audiobook.params``.

    Raises ``UserError``: unreadable audio, text or segments, ``dataset_differs``, ``chapter_unknown``,
    ``nothing_kept``, and Whisper's ``model_unavailable``.
    """
    cut = make_clips(params, context)
    # it loads torch, 1 GB of memory that is not needed for cutting clips
    from jobs.ingest_audiobook.output.build_report import finish_dataset

    result = finish_dataset(params, context, cut.files, cut.state, cut.transcript)
    cut.state.drop_replaced()
    return result


def make_clips(params: Params, context: JobContext) -> CutBook:
    """Cut the recordings into clips with their texts, except the units that an earlier attempt has built."""
    release_large_blocks()
    audio = Path(params.audio)
    roots = context.settings.roots if audio.is_dir() else None
    files = open_source_files(audio, roots)
    check_chapter_numbers(params.validation_chapters, files)
    units = select_units(files, params)
    transcript = make_transcript(params, files, roots)
    dataset = Path(params.out_dir) if params.out_dir else context.folder / "dataset"
    make_folder(dataset)
    paths = [recording.path for recording in files.recordings]
    state = IngestState(dataset, compute_fingerprint(params, paths, files.names))
    state.clean()
    if isinstance(transcript, FileTranscript):
        set_aside_edited(state, transcript.sentences)
    progress = _build_all(params, context, files, units, transcript, state)
    if isinstance(transcript, FileTranscript) and set_aside_unjoined(state, units):
        progress = _build_all(params, context, files, units, transcript, state)
    if not progress.done_s:
        raise empty(audio)
    state.clean(all_of_it=True)
    return CutBook(files, state, transcript)


def _build_all(
    params: Params,
    context: JobContext,
    files: SourceFiles,
    units: Sequence[WorkUnit],
    transcript: Transcript,
    state: IngestState,
) -> IngestProgress:
    """Build and finish all units that are left."""
    progress = IngestProgress(context, files, units, state)
    n_left = len(units) - progress.n_finished
    name = Path(params.audio).name
    logger.info("Ingesting %r: %d of %d units are left, text: %s.", name, n_left, len(units), transcript.origin)
    context.raise_if_cancelled()
    progress.finish_staged()
    for event in _build(params, files, units, transcript, state, progress):
        progress.note(event)
        context.raise_if_cancelled()
    return progress


def _build(
    params: Params,
    files: SourceFiles,
    units: Sequence[WorkUnit],
    transcript: Transcript,
    state: IngestState,
    progress: IngestProgress,
) -> Iterator[BuildEvent]:
    left = [unit for unit in units if not progress.is_built(unit)]
    batches = batch_units(left, [recording.info.has_exact_seek for recording in files.recordings])
    n_workers = min(params.workers or len(os.sched_getaffinity(0)), len(batches))
    is_short = params.workers == 0 and progress.total_s - progress.done_s < SINGLE_PROCESS_S
    is_parallel_inside = uses_whisper(params)  # it uses threads or the GPU
    if n_workers <= 1 or is_short or is_parallel_inside:
        return build_in_process(batches, files, params, transcript, state.staged, progress.is_built)
    logger.info("Building units in %d processes.", n_workers)
    return build_in_workers(batches, params, state.staged, n_workers, progress.is_built)
