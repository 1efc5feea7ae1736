"""The job ``ingest_audiobook``: an audiobook becomes a dataset. A killed job resumes with the unfinished units.

Stages in their order are listed in ``jobs.ingest_audiobook``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.audio.container import empty
from jobs.ingest_audiobook.input.audio_buffer import release_large_blocks
from jobs.ingest_audiobook.input.selection import check_chapter_numbers, select_units
from jobs.ingest_audiobook.input.source_files import SourceFiles, open_source_files
from jobs.ingest_audiobook.input.work_units import WorkUnit, batch_units
from jobs.ingest_audiobook.output.fingerprint import compute_fingerprint
from jobs.ingest_audiobook.output.ingest_progress import IngestProgress
from jobs.ingest_audiobook.output.ingest_state import IngestState
from jobs.ingest_audiobook.output.unit_builder import BuildEvent
from jobs.ingest_audiobook.output.worker_pool import build_in_process, build_in_workers
from jobs.ingest_audiobook.params import Params, Result, transcript_source
from jobs.ingest_audiobook.text.text_sources import Transcript, make_transcript
from jobs.runner.worker.context import JobContext

logger = logging.getLogger(__name__)

SINGLE_PROCESS_S = 600.0  # of audio; less is done before other processes have started


@dataclass(frozen=True)
class CutBook:
    """A book whose clips are all written."""

    dataset: Path
    files: SourceFiles
    state: IngestState
    transcript: Transcript


def run(params: Params, context: JobContext) -> Result:
    """Make the dataset. See ``jobs.ingest_audiobook.params``.

    Raises:
        UserError: unreadable audio, text or segments, ``dataset_differs``, ``chapter_unknown``, ``nothing_kept``,
            and Whisper's ``model_unavailable``.
    """
    cut = make_clips(params, context)
    # it loads torch, 1 GB of memory that is not needed for cutting clips
    from jobs.ingest_audiobook.output.build_report import finish_dataset

    return finish_dataset(params, context, cut.dataset, cut.files, cut.state.finished(), cut.transcript)


def make_clips(params: Params, context: JobContext) -> CutBook:
    """Cut the recordings into clips with their texts, except the units that an earlier attempt has built.

    Raises:
        UserError: those of ``run`` without ``nothing_kept``.
    """
    release_large_blocks()
    audio = Path(params.audio)
    roots = context.settings.roots if audio.is_dir() else None
    files = open_source_files(audio, roots)
    check_chapter_numbers(params.validation_chapters, files)
    units = select_units(files, params)
    transcript = make_transcript(params, files, roots)
    dataset = Path(params.out_dir) if params.out_dir else context.folder / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)
    paths = [recording.path for recording in files.recordings]
    state = IngestState(dataset, compute_fingerprint(params, paths, files.names))
    state.clean()
    progress = IngestProgress(context, files, units, state)
    n_left = len(units) - progress.n_finished
    logger.info("Ingesting %r: %d of %d units are left, text: %s.", audio.name, n_left, len(units), transcript.origin)
    context.raise_if_cancelled()
    progress.finish_staged()
    for event in _build(params, files, units, transcript, state, progress):
        progress.note(event)
        context.raise_if_cancelled()
    if not progress.done_s:
        raise empty(audio)
    state.clean(all_of_it=True)
    return CutBook(dataset, files, state, transcript)


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
    is_parallel_inside = transcript_source(params) == "whisper"  # it uses threads or the GPU
    if n_workers <= 1 or is_short or is_parallel_inside:
        return build_in_process(batches, files, params, transcript, state.staged, progress.is_built)
    logger.info("Building units in %d processes.", n_workers)
    return build_in_workers(batches, params, state.staged, n_workers, progress.is_built)
