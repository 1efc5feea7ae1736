"""Context of a worker: progress, artifacts, cancellation, a folder of its own."""

from pathlib import Path
from typing import Protocol

from jobs.settings import Settings


class JobContext(Protocol):
    """The worker's side of a job. Implemented by ``jobs.runner.worker``; tests make their own."""

    job_id: str
    folder: Path
    """Scratch and default outputs of the job, the same for every attempt."""
    settings: Settings

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
        """Report progress: appended to ``progress.jsonl``; cheap, may be called often.

        Args:
            done: units done, with those of earlier attempts; never falling within an attempt. An interrupted attempt
                that reports more than all before it costs no try (``jobs.runner.supervisor.retries``).
            total: units in all, when known.
            message: one short line for people.
            metrics: numbers for the plot, e.g. ``loss=2.1``.
        """
        ...

    def publish(self, name: str, path: Path, kind: str) -> str:
        """Give a finished file or folder the handle ``artifact://<job>/<name>`` and return the handle.

        Recorded with size and SHA-256 (of the file; of the sorted listing for a folder). Publishing a name
        again replaces the record.
        """
        ...

    def raise_if_cancelled(self) -> None:
        """Raise ``jobs.runner.worker.context.Cancelled`` when the job was asked to stop."""
        ...


class Cancelled(BaseException):
    """Raised in the worker at a safe point after a cancel; not an error."""
