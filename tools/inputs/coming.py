"""Files that are not there yet because the job that makes them waits or runs."""

from collections.abc import Collection, Iterable
from pathlib import Path

from jobs.errors import UserError
from jobs.runner.call_text import argument_text, call_text
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import Output, all_kinds
from jobs.runner.models import JobRecord

UNFINISHED = ("running", "starting", "interrupted", "queued")
MOST_JOBS = 50  # of a state


def expected_path(record: JobRecord, output: Output) -> Path:
    """Return the path to which a job that is not finished will write an output."""
    given = Path(record.params.get(output.parameter) or Path(record.folder) / "out")
    return given / output.path if output.path else given


def find_maker(paths: Collection[Path], runner: Runner) -> tuple[JobRecord, Path] | None:
    """Return the unfinished job that will write one of the paths, and the path."""
    for record in _unfinished(runner):
        kind = all_kinds().get(record.kind)
        for output in kind.outputs if kind is not None else ():
            if output.parameter and (path := expected_path(record, output)) in paths:
                return record, path
    return None


def unfinished_input(what: str, maker: JobRecord) -> UserError:
    """Return the error of a file that a job is about to make."""
    job = maker.job_id
    return UserError(
        "job_unfinished",
        f"{what} is not there yet: {job} ({maker.state}) makes it.",
        advise_waiting(job),
    )


def advise_waiting(job_id: str) -> str:
    """Return the hint for an input that a job is about to make."""
    call = call_text("get_job", {"job_id": job_id, "wait_s": 50})
    return f"Call {call}, or give {argument_text('after', [job_id])} as well, to wait for it."


def _unfinished(runner: Runner) -> Iterable[JobRecord]:
    return (record for state in UNFINISHED for record in runner.list(state=state, limit=MOST_JOBS))
