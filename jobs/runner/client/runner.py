"""Client of the runner for tools and commands: submit, look up, wait, cancel, resolve handles.

Any number of processes may use one home at the same time and die at any time; jobs go on without them.
"""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from jobs.errors import UserError
from jobs.files import records
from jobs.param_types import Strict
from jobs.runner import artifacts, supervisor_launcher
from jobs.runner.call_text import call_text
from jobs.runner.client import garbage_collection, submission
from jobs.runner.client.job_status import StatusReader
from jobs.runner.client.named_folders import NamedFolder
from jobs.runner.client.unknown_job import unknown_job
from jobs.runner.job_kind import JobKind
from jobs.runner.machine import preflight
from jobs.runner.models import TERMINAL, Artifact, JobRecord, Lineage, Progress
from jobs.runner.paths import AttemptFolder, Home, find_job_ids
from jobs.runner.progress import metric_history
from jobs.runner.progress.metric_history import MetricHistory
from jobs.runner.progress.reports import read_latest
from jobs.runner.progress.tail import read_tail_lines
from jobs.runner.store import JobRow, Store
from jobs.settings import Settings

logger = logging.getLogger(__name__)

FIRST_POLL_S, LONGEST_POLL_S = 0.02, 0.25
SUPERVISOR_CHECK_S = 1.0
MAX_LOG_TAIL_BYTES = 1_000_000

# Inside Runner the word ``list`` is a method.
_Lines: TypeAlias = list[str]
_Artifacts: TypeAlias = list[Artifact]
_Attempts: TypeAlias = list[AttemptFolder]
OnProgress: TypeAlias = Callable[[JobRecord, Progress | None], None]


@dataclass(frozen=True)
class Submission:
    """Submitted job, and whether it is new or was found."""

    job: JobRecord
    created: bool


class Runner:
    """Client of one home. Safe to share between threads.

    Args:
        settings: of the caller.
        starts_supervisor: whether it starts the supervisor when a job needs one. Not in a worker: what a worker starts
            is confined to that worker's outputs and ends with it, so there the shim does it.
    """

    def __init__(self, settings: Settings, *, starts_supervisor: bool = True) -> None:
        self._starts_supervisor = starts_supervisor
        self._settings = settings
        self.home = Home(settings.home)
        self._store = Store(self.home)

    def submit(
        self,
        kind: JobKind,
        params: Strict,
        *,
        key: str | None = None,
        fingerprint: str | None = None,
        reuse: bool = True,
        after: Sequence[str] = (),
        priority: int = 0,
        not_before: float | None = None,
        max_run_s: float | None = None,
        backend: str | None = None,
        memory_mb: int | None = None,
        folder: NamedFolder | None = None,
    ) -> Submission:
        """Submit a job: when this returns, the job is on disk and will run even if the caller is killed.

        Args:
            kind: what to run.
            params: its parameters, checked and with absolute paths.
            key: idempotency key: the same key and parameters always give the same job.
            fingerprint: of parameters and inputs; with ``reuse``, a job that is alive or has succeeded with it,
                and whose artifacts are still on disk, is returned instead of a new one.
            reuse: False always makes a new job (unless the key is known).
            after: jobs that must succeed first; when one fails or is cancelled, this one is cancelled with its reason.
            priority: higher starts first; among equals the older one does.
            not_before: Unix time before which it does not start.
            max_run_s: longest time that one attempt may run, in seconds.
            backend: ``local`` or ``slurm``; else as the settings say.
            memory_mb: main memory that it needs: it waits until as much is available.
            folder: the one that the caller left open.

        Raises:
            UserError: ``idempotency_conflict``, ``home_on_network``, ``disk_full``, ``environment_missing``,
                ``job_unknown`` or ``dependency_failed`` (of ``after``), ``memory_too_large`` or ``home_unusable``. A
                supervisor that cannot be started is no error here, as the job is safe: the record's ``detail`` says so.
        """
        request = submission.SubmissionRequest(
            kind, params, key, fingerprint, reuse, tuple(after), priority, not_before, max_run_s, backend, memory_mb,
            folder,
        )  # fmt: skip
        row, created = submission.take(request, self._store, self._settings)
        if not self._store.connection.in_transaction:
            self._see_to(row)
            supervisor_launcher.wake(self.home)
        return Submission(self._record(row), created)

    def check(self, kind: JobKind, params: Strict, **given: Any) -> tuple[JobRecord | None, Strict]:
        """Check what ``submit`` checks, with its arguments, and write nothing.

        Returns:
            The job that ``submit`` would find, None where it would make one; and the parameters with the job's folder.

        Raises:
            UserError: as ``submit``.
        """
        request = submission.SubmissionRequest(kind, params, **given)
        checked = submission.check(request, self._store, self._settings, mark=False)
        return None if checked.known is None else self._record(checked.known), checked.params

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Submit several jobs at once, e.g. a pipeline: all of them, or none when the block raises.

            with runner.together():
                first = runner.submit(A, params_a).job.job_id
                runner.submit(B, params_b, after=[first])

        One thread, no ``await`` and nothing slow within: the block holds the store's write lock. A job that is
        submitted in the block is seen by ``get`` in the block, and starts when the block is left.
        """
        preflight.check_local(self._settings.home)
        with self._store.transaction():
            yield
        self._ensure_supervisor()
        supervisor_launcher.wake(self.home)

    def get(self, job_id: str) -> JobRecord:
        """Return a job's record. Raises ``UserError`` ``job_unknown``."""
        row = self._row(job_id)
        self._see_to(row)
        return self._record(row)

    def list(
        self, *, state: str | None = None, kind: str | None = None, limit: int = 20, before: str | None = None
    ) -> list[JobRecord]:
        """List jobs, newest first; ``before`` is the last job id of the page before. Raises ``job_unknown``."""
        start = self._row(before).seq if before is not None else None
        rows = self._store.newest(state=state, kind=kind, limit=limit, before=start)
        if any(row.state not in TERMINAL for row in rows):
            self._ensure_supervisor()
        return StatusReader(self._store, self._settings).records(rows)

    def cancel(self, job_id: str) -> JobRecord:
        """Ask a job to stop; a finished job stays as it is. Raises ``job_unknown``.

        A job that waits is cancelled at once; one that runs stops at its next safe point, after 8 s by force.
        """
        self._row(job_id)
        self._store.ask_to_cancel(job_id)
        self._store.cancel_waiting(job_id)
        supervisor_launcher.wake(self.home)
        return self.get(job_id)

    def progress(self, job_id: str) -> Progress | None:
        """Read the newest progress of a job, also of an attempt before the running one. Raises ``job_unknown``."""
        folders = self._attempts(job_id)
        return next((found for folder in reversed(folders) if (found := read_latest(folder.progress))), None)

    def history(self, job_id: str) -> MetricHistory:
        """Read a job's metrics over all its attempts, for a plot. Raises ``job_unknown``."""
        return metric_history.read(folder.progress for folder in self._attempts(job_id))

    def log_path(self, job_id: str) -> Path:
        """Return the newest attempt's log; the file is there once the worker has started. Raises ``job_unknown``."""
        return self.home.attempt(job_id, max(1, self._row(job_id).attempt)).log

    def log_tail(self, job_id: str, n_lines: int) -> _Lines:
        """Read the last lines of the log, at most a megabyte. Raises ``job_unknown``."""
        lines = read_tail_lines(self.log_path(job_id), MAX_LOG_TAIL_BYTES)
        return lines[-n_lines:] if n_lines > 0 else []

    def artifacts(self, job_id: str) -> _Artifacts:
        """Return the artifacts that a job has published so far. Raises ``job_unknown``."""
        return artifacts.published(self._attempts(job_id))

    def lineage(self, job_id: str) -> Lineage:
        """Return the origin of a job's artifacts. Raises ``job_unknown``."""
        row = self._row(job_id)
        ran = records.read_record(self.home.job_file(job_id)) or {}
        return Lineage(
            kind=row.kind,
            state=JobRecord.model_validate({"job_id": row.id, "kind": row.kind, "state": row.state}).state,
            params=json.loads(row.document)["params"],
            from_jobs=sorted(find_job_ids(row.document) - {job_id}),
            **{key: value for key, value in ran.get("ran_with", {}).items() if key in Lineage.model_fields},
        )

    def resolve(self, handle: str) -> Path:
        """Return the path of ``artifact://<job>/<name>``, checked to be unchanged.

        Raises:
            UserError: ``artifact_unknown``, ``artifact_missing``, ``artifact_changed``, ``artifact_collected``,
                ``job_unknown``.
        """
        job_id, name = artifacts.split_handle(handle)
        found = {artifact.name: artifact for artifact in self.artifacts(job_id)}
        if name not in found:
            names = ", ".join(sorted(found)) or "nothing"
            raise UserError(
                "artifact_unknown",
                f"No artifact {handle!r}: the job ({self._row(job_id).state}) has published {names}.",
                f"Look at it with {call_text('get_job', {'job_id': job_id})}.",
            )
        if self.home.collected(job_id).exists() and not Path(found[name].path).exists():
            raise UserError(
                "artifact_collected",
                f"{handle} was deleted by a collection (./run.sh gc) to free the disk.",
                "Make the call that made it again: what was collected is not reused.",
            )
        return artifacts.verify(found[name])

    def collectable(
        self, *, older_than_s: float | None = None, max_bytes: int | None = None
    ) -> garbage_collection.Collection:
        """Choose the files that ``collect`` would delete now; see ``garbage_collection.plan`` for the arguments."""
        return garbage_collection.plan(self._store, self.home, older_than_s=older_than_s, max_bytes=max_bytes)

    def collect(
        self, *, older_than_s: float | None = None, max_bytes: int | None = None
    ) -> garbage_collection.Collection:
        """Delete files of finished jobs that nothing references any more; the jobs stay known."""
        return garbage_collection.collect(self._store, self.home, older_than_s=older_than_s, max_bytes=max_bytes)

    def wait(self, job_id: str, timeout_s: float, on_progress: OnProgress | None = None) -> JobRecord:
        """Block until a job is finished or the time is over. Raises ``job_unknown``.

        Args:
            job_id: the job.
            timeout_s: longest time to wait, in seconds.
            on_progress: called in this thread at first and whenever the state or the progress has changed.
        """
        deadline = time.monotonic() + timeout_s
        checked_at, poll_s = time.monotonic(), FIRST_POLL_S
        seen: tuple[str, Progress | None] | None = None
        job = self.get(job_id)
        while True:
            if on_progress is not None:
                now = (job.state, self.progress(job_id))
                if seen != now:
                    on_progress(job, now[1])
                seen = now
            left_s = deadline - time.monotonic()
            if job.is_finished or left_s <= 0:
                return job
            time.sleep(min(poll_s, left_s))
            poll_s = min(poll_s * 1.5, LONGEST_POLL_S)
            if time.monotonic() - checked_at >= SUPERVISOR_CHECK_S:
                checked_at = time.monotonic()
                self._ensure_supervisor()
            job = self._record(self._row(job_id))

    def _row(self, job_id: str) -> JobRow:
        row = self._store.get(job_id)
        if row is None:
            raise unknown_job(job_id, self._store, self.home.path)
        return row

    def _see_to(self, row: JobRow) -> None:
        """Start a supervisor for a job that is not finished (within ``together``: at its end)."""
        if row.state not in TERMINAL and not self._store.connection.in_transaction:
            self._ensure_supervisor()

    def _ensure_supervisor(self) -> None:
        if not self._starts_supervisor:
            return
        try:
            supervisor_launcher.ensure_supervisor(self._settings)
        except UserError as error:
            logger.warning("%s", error)

    def _attempts(self, job_id: str) -> _Attempts:
        return self.home.attempts(job_id, self._row(job_id).attempt)

    def _record(self, row: JobRow) -> JobRecord:
        return StatusReader(self._store, self._settings).records([row])[0]
