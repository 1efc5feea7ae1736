"""Outputs of a worker that was killed: the shim completes their marks, so that later changes are seen. stdlib only."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jobs.errors import UserError
from jobs.files import records
from jobs.files.output_marks import Place, seal_for
from jobs.runner.paths import AttemptFolder


def note(folder: AttemptFolder, places: Sequence[Place]) -> None:
    """Write, before the first mark, where a worker is about to mark its outputs."""
    records.write_record(folder.marks, {"paths": [str(place.path) for place in places]})


def seal(folder: AttemptFolder, job_id: str) -> None:
    """Record what a job has made whose worker has ended without it; a worker that did so itself has left nothing to do.

    The list is the worker's own word, so the only thing done is to complete open marks of this job.
    """
    content = records.read_record(folder.marks) or {}
    paths = content.get("paths")
    for path in paths if isinstance(paths, list) else []:
        with suppress(OSError, UserError, ValueError):  # then what has changed since the job's end is a person's
            seal_for(job_id, Path(str(path)))
