"""Confinement of a worker: where it can write, and the limits of kinds that read what anybody may have made.

A worker can write the job's folder (with its temporary files), the outputs that the call named, caches of weights and
of compiled code, and devices. A link or a ``..`` in a dataset leads nowhere else, whatever code follows it. Reading,
the network, and changes of mode or times of files stay open. A director can write the home: it starts jobs.

It begins before the code of the kind is imported: a thread that runs already would not be confined. Processes that the
worker starts inherit all of it.
"""

import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from jobs.errors import UserError, causes
from jobs.param_types import PathMark, Strict, find_mark
from jobs.runner.job_kind import JobKind
from jobs.runner.machine import limits, sandbox
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.worker")


def confine(kind: JobKind, params: Strict, folder: Path, settings: Settings) -> list[Path]:
    """Confine this process, for good.

    Args:
        kind: of the job.
        params: its parameters.
        folder: the job's.
        settings: whether to restrict writes, the home and the caches.

    Returns:
        Where it can write; empty when the kernel or the settings leave that open.
    """
    own = [folder, *find_outputs(kind, params, settings), *([settings.home] if kind.resource == "director" else [])]
    weights = [settings.hub_cache, settings.torch_cache, settings.home / "models"]
    allowed = sandbox.restrict_writes([*own, *weights], settings)
    if allowed:
        logger.info("it can write in %s, and in caches of libraries", ", ".join(map(str, own)))
    limits.forbid_core_dumps()
    if kind.limits is not None:
        kind.limits(params).apply()
    return allowed


def find_outputs(kind: JobKind, params: Strict, settings: Settings) -> Iterator[Path]:
    """Iterate over the folders that a job's outputs lie in."""
    # A folder with a name was chosen with the job; left open it is the job's own, never that of all names.
    defaults = {
        output.parameter: output
        for output in kind.outputs
        if output.parameter and output.default and output.name is None
    }
    for name, field in type(params).model_fields.items():
        mark = find_mark(field)
        if not isinstance(mark, PathMark) or mark.direction != "output":
            continue
        path = getattr(params, name)
        if not path and name in defaults:
            path = defaults[name].default_for(params.model_dump(), settings.home)
        if path:
            yield Path(path) if name.endswith("_dir") else Path(path).parent
    if kind.writes is not None:
        yield from kind.writes(params)


def explain(error: BaseException, allowed: list[Path]) -> UserError | None:
    """Return the error for what the confinement has refused; None for any other.

    Args:
        error: that ended the work.
        allowed: what ``confine`` returned.
    """
    return limits.explain(error) or next(filter(None, (_denied(each, allowed) for each in causes(error))), None)


def _denied(error: BaseException, allowed: list[Path]) -> UserError | None:
    if not allowed or not isinstance(error, OSError) or error.errno not in (errno.EACCES, errno.EXDEV):
        return None
    for name in (error.filename2, error.filename):
        if isinstance(name, (str, bytes, os.PathLike)) and _is_refused(path := Path(os.fsdecode(name)), allowed):
            return UserError(
                "write_denied",
                f"The work was about to write {path}, which lies outside of its own folder and outputs"
                + (f": it is {real}." if (real := os.path.realpath(path)) != str(path) else "."),
                "When a link in the dataset or the output folder leads there, give a folder without such links. The "
                "log names what the job can write; sandbox = false in config.toml lets jobs write everywhere.",
            )
    return None


def _is_refused(path: Path, allowed: list[Path]) -> bool:
    """True when a path is outside, and the file system itself would let us write it: ``access`` ignores Landlock."""
    real = Path(os.path.realpath(path))
    if any(real.is_relative_to(os.path.realpath(folder)) for folder in allowed):
        return False
    return os.access(next(place for place in (real, *real.parents) if place.exists()), os.W_OK)
