"""Connection to the job store's SQLite file. stdlib only."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

from jobs.errors import UserError
from jobs.runner.paths import Home
from jobs.runner.store.rows import JobRow
from jobs.runner.store.schema import SCHEMA_VERSION, upgrade
from jobs.trust.home import open_home

BUSY_TIMEOUT_S = 30.0


class StoreConnection:
    """Connections to the store of one home, one per thread; safe to share between threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._database = str(home.database)  # checked before every query, where a path object would be slow
        self._local = threading.local()

    @property
    def exists(self) -> bool:
        """False before the first job of a home: any query would make the store."""
        return os.path.exists(self._database)  # noqa: PTH110 (a name)

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, opened anew when the file was replaced (a home that was deleted)."""
        try:
            identity = _identity(self._database)
        except OSError:
            identity = None
        if identity is None or getattr(self._local, "identity", None) != identity:
            self._local.connection = self._open()
            self._local.identity = _identity(self._database)
        connection: sqlite3.Connection = self._local.connection
        return connection

    def _open(self) -> sqlite3.Connection:
        try:
            open_home(self._home.path)
            with contextlib.suppress(FileExistsError):  # SQLite gives the files beside it the same mode
                os.close(os.open(self._database, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(self._home.database, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: an acknowledged job and a final state survive a power cut; tens of commits a minute can pay it.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA recursive_triggers=ON")  # a failure is passed on along the whole chain
            version = upgrade(connection)
        except (OSError, sqlite3.OperationalError) as error:
            raise UserError(
                "home_unusable",
                f"The job store {self._home.database} cannot be opened: {error}.",
                "Give TTS_TRAIN_HOME a folder on a local disk that you may write to.",
            ) from error
        if version > SCHEMA_VERSION:
            raise UserError(
                "home_newer",
                f"{self._home.database} was made by a newer version: schema {version}, known here {SCHEMA_VERSION}.",
                "Update tts-train, or point TTS_TRAIN_HOME at another folder.",
            )
        return connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction that takes the write lock at once, so that what it reads cannot change under it.

        Within another one of the same thread it is a part of that one: all or nothing.
        """
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise

    def _swap(self, query: str, *values: Any) -> bool:
        return self._execute(query, values).rowcount == 1

    def _execute(self, query: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        named = values[0] if len(values) == 1 and isinstance(values[0], dict) else values
        return self.connection.execute(query, named)

    def _one(self, query: str, *values: Any) -> JobRow | None:
        row = self._execute(query, values).fetchone()
        return JobRow.read(row) if row else None

    def _many(self, query: str, *values: Any) -> list[JobRow]:
        return [JobRow.read(row) for row in self._execute(query, values).fetchall()]


def _identity(path: str) -> tuple[int, int]:
    stat = os.stat(path)  # noqa: PTH116
    return stat.st_dev, stat.st_ino
