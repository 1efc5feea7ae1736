"""Continuation of a job that was stopped or has failed: the same call goes on with what it has left. stdlib only.

Work whose parameters name no place writes into its job's folder, where the next job would not find it. So that folder
is moved, before the worker of the next job starts.
"""

import logging
import re
from contextlib import suppress

from jobs.runner.paths import OUT, AttemptFolder, Home, is_job_id

logger = logging.getLogger("jobs.runner.shim")

_ATTEMPT = re.compile(r"attempt-([0-9]+)")


def take_over(folder: AttemptFolder, former: str) -> bool:
    """Move what a former job has left into the folder of this one; return whether it was moved.

    Nothing is moved when this job has begun before, or while the former one may still write.

    Args:
        folder: of the attempt that is about to start.
        former: id of the former job.
    """
    home = Home(folder.home)
    source, target = home.out(former) if is_job_id(former) else None, folder.path.parent / OUT
    if source is None or target.exists() or not _has_ended(home, former):
        return False
    with suppress(OSError):  # it is gone, or on another disk: the work begins anew
        source.rename(target)
        logger.info("it goes on with what %s has left", former)
        return True
    return False


def _has_ended(home: Home, job_id: str) -> bool:
    """Return whether the shim of a job's newest attempt has recorded its exit."""
    found = [_ATTEMPT.fullmatch(path.name) for path in home.job(job_id).glob("attempt-*")]
    numbers = [int(match[1]) for match in found if match]
    return bool(numbers) and home.attempt(job_id, max(numbers)).exit.exists()
