"""Error of a job that is not there, with the one that was meant."""

from pathlib import Path

from jobs.errors import UserError
from jobs.runner.store import Store
from jobs.spelling import closest

NEAR_JOBS = 200  # the newest, among which the one that was meant is looked for


def unknown_job(job_id: str, store: Store, home: Path) -> UserError:
    """Return ``job_unknown``, with the newest job of nearly that id."""
    newest = store.newest(state=None, kind=None, limit=NEAR_JOBS, before=None)
    near = closest(job_id, (known.id for known in newest), cutoff=0.8)
    meant = f" Did you mean {near!r}?" if near else ""
    return UserError(
        "job_unknown", f"There is no job {job_id!r} in {home}.{meant}", "Call list_jobs for the known jobs."
    )
