"""Worker process: runs a job's code and publishes its results. ``child_jobs`` is not exported: it loads the client."""

from jobs.runner.worker.context import Cancelled, JobContext
from jobs.runner.worker.journal import Journal

__all__ = ["Cancelled", "JobContext", "Journal"]
