"""Client of the runner: submit, look up, wait for, cancel and collect jobs."""

from jobs.runner.client.garbage_collection import CollectableJob, Collection
from jobs.runner.client.runner import Runner, Submission

__all__ = ["CollectableJob", "Collection", "Runner", "Submission"]
