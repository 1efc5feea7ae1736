"""Jobs on other machines: handed to a backend, observed by the files that come back. stdlib only.

The supervisor alone changes their rows; the shim on the other side has no store.
"""

import importlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace

from jobs.errors import UserError
from jobs.files import records
from jobs.runner.attempt import left_outputs
from jobs.runner.attempt.outcome import Outcome, read_exit
from jobs.runner.backend import AttemptPhase, AttemptStatus, Backend
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store, finish_attempt
from jobs.settings import BACKENDS, Settings

logger = logging.getLogger("jobs.runner.supervisor")

LOOK_S = 2.0  # between two looks at the same attempt
PAUSE_S = 10.0  # after a backend could not be asked
MOST_STARTS = 20  # handed over in one tick


def open_backend(name: str, settings: Settings) -> Backend:
    """Load a backend; only a home whose jobs ask for one needs it. Raises ``UserError`` ``backend_unknown``."""
    if name not in BACKENDS:
        raise UserError("backend_unknown", f"There is no backend {name!r}.", f"Use {' or '.join(BACKENDS)}.")
    backend: Backend = importlib.import_module(f"jobs.runner.{name}.backend").open_backend(settings)
    return backend


class RemoteJobs:
    """Executor of other backends' jobs."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        home: Home,
        open_: Callable[[str, Settings], Backend] = open_backend,
        look_s: float = LOOK_S,
    ) -> None:
        self._open = open_
        self._look_s = look_s
        self._settings = settings
        self._store = store
        self._home = home
        self._backends: dict[str, Backend] = {}
        self._looked_at: dict[str, float] = {}
        self._paused_until = 0.0

    def start_ready(self) -> None:
        """Hand over what is ready; the other side has its own slots."""
        if time.monotonic() < self._paused_until:
            return
        for row in self._store.next_ready_elsewhere(MOST_STARTS):
            if self._store.claim(row.id, row.attempt):
                self._hand_over(replace(row, attempt=row.attempt + 1, state="starting", backend_ref=None))

    def look_after(self, row: JobRow) -> None:
        """Check an attempt that was, or should have been, handed over."""
        folder = self._home.attempt(row.id, row.attempt)
        if row.state == "starting" and records.read_record(folder.start) is not None:
            self._store.begin(row.id, row.attempt)
            row = self._store.get(row.id) or row
        exit_ = read_exit(folder)
        if exit_ is not None:
            self._looked_at.pop(row.id, None)
            finish_attempt(self._store, folder, row, exit_)
            return
        now = time.monotonic()
        if now < self._paused_until or (not row.cancel and now - self._looked_at.get(row.id, -math.inf) < self._look_s):
            return
        self._looked_at[row.id] = now
        if row.state == "starting" and row.backend_ref is None and not row.cancel:
            self._hand_over(row)
        else:
            self._look(row)

    def _hand_over(self, row: JobRow) -> None:
        try:
            self._home.attempt(row.id, row.attempt).path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store.note(row.id, row.attempt, f"handed to {row.backend}", self._backend(row).start(row))
        except UserError as error:  # it was understood and is not wanted: asking again would not help
            failure = {"code": error.code, "message": error.message, "hint": error.hint}
            self._store.finish(row.id, row.attempt, Outcome("failed", "spawn", error.message, failure=failure))
        except OSError as error:
            self._pause(row, error)

    def _look(self, row: JobRow) -> None:
        try:
            backend = self._backend(row)
            if row.cancel:
                backend.cancel(row)
            look = backend.look(row)
        except (OSError, UserError) as error:
            self._pause(row, error)
            return
        if look.where is AttemptPhase.GONE:
            self._gone(row, look)
        elif row.state == "starting" and look.detail and look.detail != row.detail:
            self._store.note(row.id, row.attempt, look.detail)

    def _gone(self, row: JobRow, look: AttemptStatus) -> None:
        folder = self._home.attempt(row.id, row.attempt)
        exit_ = read_exit(folder)  # it may have come meanwhile
        self._looked_at.pop(row.id, None)
        if exit_ is None and row.state == "starting" and records.read_record(folder.start) is None:
            logger.info("%s attempt %d never ran: %s", row.id, row.attempt, look.detail)
            self._store.unclaim(row.id, row.attempt, LOOK_S)
        else:
            if exit_ is None and not row.attempt_spec.is_director:
                left_outputs.seal_lost(folder, row.id)
            finish_attempt(self._store, folder, row, exit_)

    def _pause(self, row: JobRow, error: Exception) -> None:
        logger.warning("%s: %s does not do it now: %s", row.id, row.backend, error)
        self._paused_until = time.monotonic() + PAUSE_S
        if row.state == "starting":
            self._store.note(row.id, row.attempt, f"{row.backend} does not answer: {error}")

    def _backend(self, row: JobRow) -> Backend:
        if row.backend not in self._backends:
            self._backends[row.backend] = self._open(row.backend, self._settings)
        return self._backends[row.backend]
