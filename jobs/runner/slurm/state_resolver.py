"""State of an attempt, resolved from Slurm's listing and the shim's files. stdlib only.

The shim's files outrank Slurm's answers: ``exit.json`` ends an attempt whatever Slurm says, "unknown
job" within seconds of a submission is not an end, and while slurmctld is away nothing changes.
"""

import enum
from dataclasses import dataclass

from jobs.runner.slurm.squeue_parser import OVER, WAITING, SlurmJob

# slurmctld saves its state about every five seconds: what it forgets, it forgets within that time.
MISSING_S = 15.0
# No sign of life for so long, and Slurm's job is over: dead. Covers the cache of a network file system (60 s for NFS).
LOST_S = 90.0


class Resolution(enum.Enum):
    """State of an attempt, or the step that it needs."""

    WAITING = "waiting"
    ALIVE = "alive"
    UNKNOWN = "unknown"
    GIVE_UP = "give up"  # never began: take the claim, so that it never will
    LOST = "lost"  # began, and died without an exit record
    ENDED = "ended"


@dataclass(frozen=True)
class Evidence:
    """Facts about an attempt.

    Attributes:
        has_exit: the shim has written how the worker ended.
        owner: of the claim; None, ``supervisor`` or the shim's name.
        quiet_s: how long the shim has given no sign of life, as seen from here.
        answers: Slurm has answered a listing that was asked for after the submission.
        job: the job in that listing.
        missing_s: how long the listings have been without it.
        asked: Slurm was asked to take the attempt.
    """

    has_exit: bool
    owner: str | None
    quiet_s: float
    answers: bool
    job: SlurmJob | None
    missing_s: float
    asked: bool = True


def resolve_state(
    evidence: Evidence, *, missing_s: float = MISSING_S, lost_s: float = LOST_S
) -> tuple[Resolution, str]:
    """Resolve the state of an attempt, with a sentence for people."""
    job = evidence.job
    if evidence.has_exit or evidence.owner == "supervisor":
        return Resolution.ENDED, ""
    if evidence.owner is not None:
        return _begun(evidence, lost_s)
    if not evidence.asked:
        return Resolution.UNKNOWN, "waits until Slurm answers"
    if not evidence.answers:
        return Resolution.UNKNOWN, "Slurm does not answer"
    if job is None:
        if evidence.missing_s >= missing_s:
            return Resolution.GIVE_UP, "Slurm has lost it; it will be submitted again"
        return Resolution.UNKNOWN, "Slurm does not know it yet"
    if job.state in OVER:
        return Resolution.GIVE_UP, f"Slurm job {job.slurm_id} ended before it began: {job.state} ({job.reason})"
    if job.state in WAITING:
        return Resolution.WAITING, f"waits in Slurm's queue as job {job.slurm_id} ({job.reason})"
    return Resolution.WAITING, f"Slurm job {job.slurm_id} is being started"


def _begun(evidence: Evidence, lost_s: float) -> tuple[Resolution, str]:
    job = evidence.job
    where = f"Slurm job {job.slurm_id}" if job is not None else "Slurm job"
    if evidence.quiet_s < lost_s:
        return Resolution.ALIVE, where
    if not evidence.answers:
        return Resolution.UNKNOWN, "Slurm does not answer, and the work gives no sign of life"
    if job is not None and job.state not in OVER | WAITING:
        # A killed slurmstepd or a lost node: the work may go on. Slurm keeps the node, and so do we.
        return Resolution.ALIVE, f"{where} ({job.state}) has given no sign of life for {evidence.quiet_s:.0f} s"
    return Resolution.LOST, f"{where} is over and left no exit record"
