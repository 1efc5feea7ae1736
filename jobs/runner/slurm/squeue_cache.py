"""The newest listing of our jobs in Slurm, asked for in the background. stdlib only."""

import logging
import time

from jobs.runner.slurm import squeue_parser
from jobs.runner.slurm.slurm_cli import NoAnswerError, RefusedError, SlurmCall, SlurmCli

logger = logging.getLogger("jobs.runner.slurm")

LISTING_S = 2.0  # between two looks


class SqueueCache:
    """The newest listing of our jobs, asked for in the background."""

    def __init__(self, commands: SlurmCli) -> None:
        self.jobs: list[squeue_parser.SlurmJob] = []
        self.answered_at = 0.0
        """When the newest answered question was asked (Unix seconds); 0 while Slurm does not answer."""
        self._commands = commands
        self._call: SlurmCall | None = None
        self._asked_at = 0.0
        self._next_at = 0.0

    def refresh(self) -> None:
        """Read an answer that has come; ask again when it is time. Returns at once."""
        try:
            if self._call is None:
                if time.monotonic() < self._next_at:
                    return
                self._asked_at = time.time()
                self._call = self._commands.begin("squeue", "--me", *squeue_parser.ARGUMENTS)
            answer = self._call.poll()
        except (NoAnswerError, RefusedError) as error:
            if self.answered_at:
                logger.warning("Slurm does not answer: %s", error)
            self.answered_at = 0.0
        else:
            if answer is None:
                return
            self.jobs, self.answered_at = squeue_parser.parse(answer), self._asked_at
        self._call = None
        self._next_at = time.monotonic() + LISTING_S
