"""Deletion of finished jobs' files: by age, then by size, never of jobs that others still need.

A job is collected by the record ``collected.json`` in its folder; from then on its files count as gone, and are
deleted. A collection that was killed is finished by the next one. What remains of a job is its row in the store,
what it ran (``job.json``), what it had published (``artifacts.jsonl``), and voices and datasets, which are never
garbage. Files outside the job's folder are the user's and are never touched.
"""

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.files import records
from jobs.runner.client.kept_folders import find_kept
from jobs.runner.models import TERMINAL
from jobs.runner.paths import Home, find_job_ids
from jobs.runner.store import JobRow, Store


@dataclass(frozen=True)
class CollectableJob:
    """A finished job whose folder may be emptied.

    Attributes:
        job_id: the job.
        ended_at: Unix time, seconds.
        size_bytes: on disk, without what is kept; a file with several names counts for those in the folder once.
        kept: voices and datasets in its folder, which stay.
    """

    job_id: str
    ended_at: float
    size_bytes: int
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collection:
    """Jobs that a collection deletes, or has deleted.

    Attributes:
        taken: oldest first.
        kept_bytes: of the folders of finished jobs that stay.
        n_referenced: finished jobs that are old or large enough but are still needed by others.
    """

    taken: list[CollectableJob]
    kept_bytes: int
    n_referenced: int

    @property
    def taken_bytes(self) -> int:
        """Space that is freed."""
        return sum(candidate.size_bytes for candidate in self.taken)


def plan(
    store: Store, home: Home, *, older_than_s: float | None, max_bytes: int | None, now: float | None = None
) -> Collection:
    """Choose the jobs to collect; change nothing.

    Args:
        store: of the home.
        home: whose jobs.
        older_than_s: jobs that ended so long ago go; None: none goes for its age.
        max_bytes: the oldest go until all finished jobs together take no more; None: none goes for its size.
        now: Unix time.
    """
    found, wanted = _wanted(store, home, older_than_s, max_bytes, time.time() if now is None else now)
    return _without_needed(store, home, found, wanted)


def collect(
    store: Store, home: Home, *, older_than_s: float | None, max_bytes: int | None, now: float | None = None
) -> Collection:
    """Choose and delete. Safe against jobs that are submitted meanwhile, and against a kill at any instant."""
    found, wanted = _wanted(store, home, older_than_s, max_bytes, time.time() if now is None else now)
    with store.transaction():  # no job can be submitted between the look at who needs what and the records
        chosen = _without_needed(store, home, found, wanted)
        for item in chosen.taken:
            records.write_record(home.collected(item.job_id), {"at": time.time(), "size_bytes": item.size_bytes})
    for record in (home.path / "jobs").glob("*/collected.json"):  # also those that an earlier collection left
        _empty(record.parent)
    return chosen


def is_collected(home: Home, job_id: str) -> bool:
    """True once the files of a job count as gone."""
    return home.collected(job_id).exists()


def size_on_disk(folder: Path) -> int:
    """Bytes that a folder's files take on disk; links are not followed."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path in _files(folder):
        try:
            stat = path.lstat()
        except FileNotFoundError:
            continue
        if (stat.st_dev, stat.st_ino) not in seen:
            seen.add((stat.st_dev, stat.st_ino))
            total += stat.st_blocks * 512
    return total


def _wanted(
    store: Store, home: Home, older_than_s: float | None, max_bytes: int | None, now: float
) -> tuple[list[CollectableJob], list[CollectableJob]]:
    """All finished jobs that take space, oldest first, and those of them whose age or size says that they go."""
    rows = [row for row in store.all_oldest_first() if row.state in TERMINAL and not is_collected(home, row.id)]
    found = [_measure(home.job(row.id), row.ended_at or row.created_at) for row in rows]
    found = sorted((item for item in found if item.size_bytes), key=lambda item: (item.ended_at, item.job_id))
    left_bytes = sum(item.size_bytes for item in found)
    wanted = []
    for item in found:
        is_old = older_than_s is not None and item.ended_at < now - older_than_s
        if is_old or (max_bytes is not None and left_bytes > max_bytes):
            wanted.append(item)
            left_bytes -= item.size_bytes
    return found, wanted


def _measure(folder: Path, ended_at: float) -> CollectableJob:
    kept = tuple(find_kept(folder))
    size = size_on_disk(folder) - sum(map(size_on_disk, kept))
    return CollectableJob(folder.name, ended_at, size, tuple(map(str, kept)))


def _without_needed(store: Store, home: Home, found: list[CollectableJob], wanted: list[CollectableJob]) -> Collection:
    rows = [row for row in store.all_oldest_first() if not is_collected(home, row.id)]
    needed = _referenced(store, rows, [item.job_id for item in wanted])
    taken = [item for item in wanted if item.job_id not in needed]
    kept_bytes = sum(item.size_bytes for item in found) - sum(item.size_bytes for item in taken)
    return Collection(taken, kept_bytes, len(wanted) - len(taken))


def _referenced(store: Store, rows: Iterable[JobRow], wanted: Iterable[str]) -> set[str]:
    """Of the wanted jobs, those that a job or a schedule that stays needs, directly or through others.

    A job's document holds its parameters with absolute paths and handles resolved, and a job's folder carries its id:
    who reads another job's files names it. A search or a refinement that goes on reads the records of its jobs again.
    """
    mentions = {row.id: find_job_ids(row.document) for row in rows}
    for job, need in [*store.needs_of_unfinished(), *store.children_of_unfinished()]:
        mentions[job].add(need)
    candidates = set(wanted)
    reached = {job for document in store.schedule_documents() for job in find_job_ids(document)}
    pending = [job for job in mentions if job not in candidates] + list(reached & candidates)
    for job in pending:
        for mentioned in mentions.get(job, set()) & candidates:
            if mentioned not in reached:
                reached.add(mentioned)
                pending.append(mentioned)
    return reached & candidates


def _empty(folder: Path) -> None:
    """Delete all but the few small records of a collected job, and its voices and datasets."""
    records = {folder / "job.json", folder / "collected.json", *folder.glob("attempt-*/artifacts.jsonl")}
    kept = list(find_kept(folder))
    for path in list(_files(folder)):
        if path not in records and not any(path.is_relative_to(one) for one in kept):
            path.unlink(missing_ok=True)
    for path in sorted((item for item in folder.rglob("*") if item.is_dir()), key=lambda item: -len(item.parts)):
        if not any(path.iterdir()):
            shutil.rmtree(path, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    """Everything in a folder that is no folder, links to folders included."""
    for parent, folders, names in os.walk(folder):
        for name in names:
            yield Path(parent) / name
        for name in folders:
            if (Path(parent) / name).is_symlink():
                yield Path(parent) / name
