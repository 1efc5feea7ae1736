"""One attempt of a job: its specification, claim, log and outcome. stdlib only."""

from jobs.runner.attempt.outcome import CANCELLED_EXIT, Exit, Outcome, determine_outcome, read_exit
from jobs.runner.attempt.spec import AttemptSpec

__all__ = ["CANCELLED_EXIT", "AttemptSpec", "Exit", "Outcome", "determine_outcome", "read_exit"]
