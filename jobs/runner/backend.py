"""Interface of a queue on other machines, as the supervisor uses it. stdlib only.

A backend starts, observes and cancels attempts. The shim on the other machine leaves its files in the attempt's
folder; the supervisor reads them and changes the job's row.
"""

import enum
from dataclasses import dataclass
from typing import Protocol

from jobs.runner.store import JobRow


class AttemptPhase(enum.Enum):
    """Phase of an attempt, as far as the backend knows."""

    WAITING = "waiting"  # in the backend's queue
    ALIVE = "alive"
    GONE = "gone"  # will never (again) run: its files are all there, or the backend has taken the claim
    UNKNOWN = "unknown"  # the backend does not answer, or does not know (yet): nothing may be concluded


@dataclass(frozen=True)
class AttemptStatus:
    """State of an attempt. ``detail`` is shown to people, e.g. "waits in Slurm's queue (Resources)"."""

    where: AttemptPhase
    detail: str = ""


class Backend(Protocol):
    """A queue elsewhere. ``row.attempt`` names the attempt.

    The module ``jobs.runner.<name>.backend`` gives it by ``open_backend(settings: Settings) -> Backend``. The
    supervisor reads ``start.json`` and ``exit.json`` before it looks. GONE without an exit record: with a
    ``start.json`` the attempt was interrupted, without one it never ran and costs no try.

    All methods are bounded in time and raise ``OSError`` when they cannot do it now; ``start`` raises ``UserError``
    when the attempt is not wanted there.
    """

    def start(self, row: JobRow) -> str:
        """Hand an attempt over; the backend's name for it. Asked again for the same attempt, it finds the first."""

    def look(self, row: JobRow) -> AttemptStatus:
        """Find the attempt. ``row.backend_ref`` may be None when the answer of ``start`` was lost."""

    def cancel(self, row: JobRow) -> None:
        """Stop an attempt, softly at first; asked at every tick until it is gone."""
