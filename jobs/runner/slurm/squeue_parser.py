"""Parser of ``squeue``'s output for our jobs. stdlib only."""

from dataclasses import dataclass

from jobs.runner.attempt.spec import SLURM_PREFIX

# id, state, time of submission (Unix seconds by SLURM_TIME_FORMAT), reason, name; the name last, it may hold anything
FORMAT = "%i|%T|%V|%r|%j"
ARGUMENTS = ("--noheader", "--states=all", f"--format={FORMAT}")
# Job states of squeue(1) in which a job will not run (again) by itself.
OVER = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
     "REVOKED", "SPECIAL_EXIT", "TIMEOUT"}
)  # fmt: skip
WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"})
CLOCK_SLACK_S = 300.0  # between this machine and slurmctld's


@dataclass(frozen=True)
class SlurmJob:
    """A job as Slurm lists it."""

    slurm_id: str
    state: str
    submitted_at: float
    reason: str
    name: str


def parse(text: str) -> list[SlurmJob]:
    """Parse our jobs in a listing; other lines (other people's jobs, warnings) are skipped."""
    found = []
    for line in text.splitlines():
        fields = line.strip().split("|", 4)
        if len(fields) == 5 and fields[4].startswith(SLURM_PREFIX) and fields[2].isdigit():
            found.append(SlurmJob(fields[0], fields[1], float(fields[2]), fields[3], fields[4]))
    return found


def find(jobs: list[SlurmJob], name: str, asked_at: float) -> SlurmJob | None:
    """Return the job of a name that was submitted after we asked for it; the living one if there are several."""
    ours = [job for job in jobs if job.name == name and job.submitted_at >= asked_at - CLOCK_SLACK_S]
    return next((job for job in ours if job.state not in OVER), ours[-1] if ours else None)
