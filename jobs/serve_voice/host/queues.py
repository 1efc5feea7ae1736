"""Takes that wait for a model."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from jobs.serve_voice.host.utterance import Utterance


@dataclass(frozen=True)
class JobTakes:
    """Takes of a job.

    Attributes:
        missing: those to speak.
        everything: all of the job: they decide how many are spoken at once.
        stamps: hash of the model's files.
    """

    missing: list[Utterance]
    everything: list[Utterance]
    stamps: str

    @property
    def is_cancelled(self) -> bool:
        """True when no client waits for any of them."""
        return all(utterance.is_cancelled for utterance in self.missing)


@dataclass
class Queues:
    """Takes that wait: for the loop of all, for one of their own, and those of jobs."""

    shared: deque[Utterance] = field(default_factory=deque)
    solo: deque[Utterance] = field(default_factory=deque)
    jobs: deque[JobTakes] = field(default_factory=deque)

    @property
    def n_clients(self) -> int:
        """Number of clients' takes that wait."""
        return len(self.shared) + len(self.solo)

    def drop_cancelled(self) -> None:
        """Forget takes for which no client waits."""
        self.shared = deque(each for each in self.shared if not each.is_cancelled)
        self.solo = deque(each for each in self.solo if not each.is_cancelled)
        self.jobs = deque(each for each in self.jobs if not each.is_cancelled)

    def take_all(self) -> list[Utterance]:
        """Empty the queues and return what waited."""
        found = [*self.shared, *self.solo, *(one for job in self.jobs for one in job.missing)]
        for each in (self.shared, self.solo, self.jobs):
            each.clear()
        return found

    def __bool__(self) -> bool:
        return bool(self.shared or self.solo or self.jobs)
