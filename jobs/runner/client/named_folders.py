"""Folders that a job gets by a name: of ``anna``, ``anna-2``, … the one of the same call, else the first that is free.

The choice is made in the transaction that inserts the job, so that two jobs never get one folder.
"""

import itertools
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.files.output_marks import RECORDS, read_records
from jobs.runner.store import JobRow, Store

OWN_FOLDER = "out_dir"
"""Parameter whose emptiness means that all work lies in the job's own folder."""


@dataclass(frozen=True)
class NamedFolder:
    """The folder that a call leaves open.

    Attributes:
        parameter: of the job, for the folder.
        path: the folder, where its name is free; else a number is added.
        is_taken: whether a name already means something else.
    """

    parameter: str
    path: Path
    is_taken: Callable[[str], bool]

    def choose(self, same: list[JobRow], store: Store) -> Path:
        """Return the folder of the newest job of the same call that has written there, else the first that is free.

        Args:
            same: jobs of the same call, newest first.
            store: of the home, which may be missing yet.
        """
        ids = {row.id for row in same}
        for row in same:
            former = json.loads(row.document)["params"].get(self.parameter)
            if former and any(record.job in ids for record in read_records(Path(former))):
                return Path(former)
        names = (f"{self.path.name}-{number}" if number > 1 else self.path.name for number in itertools.count(1))
        return next(
            self.path.with_name(name)
            for name in names
            if not self.is_taken(name)
            and _is_empty(self.path.with_name(name))
            and not _is_claimed(self.path.with_name(name), store)
        )


def _is_empty(folder: Path) -> bool:
    """Return whether nothing is there but marks of a job that has made nothing."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 (names)
    except FileNotFoundError:
        return not folder.is_symlink()
    except OSError:
        return False
    return set(names) <= {RECORDS} and not folder.is_symlink()


def _is_claimed(folder: Path, store: Store) -> bool:
    """Return whether a job that is not finished, or a schedule, names the folder or something in it."""
    if not store.exists:
        return False
    text = json.dumps(str(folder), ensure_ascii=False)[1:-1]
    named = re.compile(re.escape(text) + '["/]')
    documents = [row.document for row in store.live_with_text(text)] + store.schedule_documents()
    return any(named.search(document) for document in documents)
