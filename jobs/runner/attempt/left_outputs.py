"""Outputs of a worker that was killed: their marks are completed, so that later changes are seen. stdlib only.

The shim does so when its worker ends. Where the shim was killed too, the supervisor does it when it finds that out, for
what had not changed since the last sign of life.
"""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from jobs.errors import UserError
from jobs.files import records
from jobs.files.output_marks import Place, seal_for
from jobs.runner.attempt.path_mapping import map_text
from jobs.runner.paths import AttemptFolder


def note(folder: AttemptFolder, places: Sequence[Place]) -> None:
    """Write, before the first mark, where a worker is about to mark its outputs."""
    records.write_record(folder.marks, {"paths": [str(place.path) for place in places]})


def show_life(folder: AttemptFolder) -> None:
    """Set the time of the file that shows that an attempt is looked after; on a full disk the last time stays."""
    with suppress(OSError):
        flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(folder.alive, flags, 0o600)
        try:
            os.utime(descriptor)
        finally:
            os.close(descriptor)


def seal(
    folder: AttemptFolder, job_id: str, until: float = math.inf, prefixes: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Record what a job has made whose worker has ended without it; a worker that did so itself has left nothing to do.

    The list is the worker's own word, so the only thing done is to complete open marks of this job.

    Args:
        until: as of ``Place.seal``.
        prefixes: from paths on the worker's machine to those here.
    """
    content = records.read_record(folder.marks) or {}
    paths = content.get("paths")
    for path in paths if isinstance(paths, list) else []:
        with suppress(OSError, UserError, ValueError):  # then what has changed since the job's end is a person's
            seal_for(job_id, Path(map_text(str(path), prefixes)), until)


def seal_lost(folder: AttemptFolder, job_id: str) -> None:
    """Record what an attempt has made that was lost with its shim, on this machine or on another one."""
    until = 0.0
    with suppress(OSError):
        until = folder.alive.lstat().st_mtime
    path_map = (records.read_record(folder.task) or {}).get("path_map")
    path_map = path_map if isinstance(path_map, dict) else {}
    seal(folder, job_id, until, {str(there): here for here, there in path_map.items()})
