"""Jobs that a job starts and waits for: trials of a search, rounds of a loop.

The parent takes a slot of its own resource, ``director``, so that it never holds what its children need. A child is
found again by a key made of the parent's id and the child's name: a parent that was killed goes on with the children
that it had, whether they run, have ended, or were never started.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from jobs.param_types import Strict
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind
from jobs.runner.models import JobRecord, Progress
from jobs.runner.worker.context import Cancelled, JobContext

LOOK_EVERY_S = 0.5

OnProgress: TypeAlias = Callable[[JobRecord, Progress | None], None]


class Children:
    """The children of the job that a context belongs to."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self.runner = Runner(context.settings, starts_supervisor=False)

    def start(self, name: str, kind: JobKind, params: Strict, **placement: Any) -> JobRecord:
        """Start the child of that name, or find it.

        Args:
            name: unlike that of any other child, and the same whenever the parent comes here again.
            kind: of work.
            params: checked, with absolute paths.
            placement: ``after``, ``priority``, ``max_run_s``, ``backend`` … of ``Runner.submit``.

        Raises:
            UserError: as ``Runner.submit``; ``idempotency_conflict`` when the same name had other parameters.
        """
        key = f"child:{self._context.job_id}:{name}"
        return self.runner.submit(kind, params, key=key, **placement).job

    def wait(self, job_ids: Sequence[str], on_progress: OnProgress | None = None) -> list[JobRecord]:
        """Wait until all have ended, well or not. When the parent is asked to stop, so are they.

        Args:
            job_ids: of children, or of any other jobs.
            on_progress: called with each running one, about twice a second.

        Raises:
            Cancelled: the parent was asked to stop; the children have ended.
        """
        with self._stopped_with_parent(job_ids):
            for job_id in job_ids:
                while not self.runner.wait(job_id, LOOK_EVERY_S).is_finished:
                    self._context.raise_if_cancelled()
                    if on_progress is not None:
                        on_progress(self.runner.get(job_id), self.runner.progress(job_id))
        return [self.runner.get(job_id) for job_id in job_ids]

    def wait_for_one(self, job_ids: Sequence[str], on_look: Callable[[str], None]) -> list[JobRecord]:
        """Wait until at least one has ended, well or not. When the parent is asked to stop, so are all.

        Args:
            job_ids: of children, or of any other jobs.
            on_look: called with the id of each running one, about twice a second.

        Raises:
            Cancelled: the parent was asked to stop; the children have ended.
        """
        with self._stopped_with_parent(job_ids):
            while True:
                ended = [job for job in map(self.runner.get, job_ids) if job.is_finished]
                if ended:
                    return ended
                self._context.raise_if_cancelled()
                self.runner.wait(job_ids[0], LOOK_EVERY_S)
                for job_id in job_ids:
                    on_look(job_id)

    @contextmanager
    def _stopped_with_parent(self, job_ids: Sequence[str]) -> Iterator[None]:
        try:
            yield
        except Cancelled:
            for job_id in job_ids:
                self.runner.cancel(job_id)
            for job_id in job_ids:
                self.runner.wait(job_id, 4 * self._context.settings.cancel_grace_s)
            raise
