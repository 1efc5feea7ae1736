"""A home of an older version, opened by this one. The older tables are kept here as that version made them."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.errors import UserError
from jobs.runner.attempt.outcome import Outcome
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.runner.store.schema import SCHEMA_VERSION

SCHEMA_1 = """
CREATE TABLE IF NOT EXISTS jobs(
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  spec_hash TEXT NOT NULL,
  fingerprint TEXT,
  document TEXT NOT NULL,
  resource TEXT NOT NULL,
  environment TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued' CHECK(
    state IN ('queued', 'starting', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
  attempt INTEGER NOT NULL DEFAULT 0,  -- fence: a shim of an older attempt loses every compare-and-swap
  tries INTEGER NOT NULL DEFAULT 0,    -- attempts that really ran
  max_tries INTEGER NOT NULL,
  cancel INTEGER NOT NULL DEFAULT 0,
  exit_code INTEGER, reason TEXT, detail TEXT NOT NULL DEFAULT '', result TEXT, failure TEXT,
  created_at REAL NOT NULL, started_at REAL, ended_at REAL);
CREATE INDEX IF NOT EXISTS jobs_live ON jobs(state, cancel, resource, seq)
  WHERE state IN ('queued', 'starting', 'running', 'interrupted');
CREATE INDEX IF NOT EXISTS jobs_fingerprint ON jobs(fingerprint, seq) WHERE fingerprint IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_kind ON jobs(kind, seq);
CREATE TABLE IF NOT EXISTS keys(
  key TEXT PRIMARY KEY, job TEXT NOT NULL REFERENCES jobs(id), spec_hash TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events(
  seq INTEGER PRIMARY KEY, job TEXT NOT NULL, attempt INTEGER NOT NULL, at REAL NOT NULL, state TEXT NOT NULL,
  exit_code INTEGER, detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_job ON events(job, seq);
CREATE TRIGGER IF NOT EXISTS job_event AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
  INSERT INTO events(job, attempt, at, state, exit_code, detail) VALUES(
    new.id, new.attempt, (julianday('now') - 2440587.5) * 86400.0, new.state, new.exit_code, new.detail);
END;
CREATE TRIGGER IF NOT EXISTS final_states BEFORE UPDATE OF state ON jobs
WHEN old.state IN ('succeeded', 'failed', 'cancelled') BEGIN
  SELECT RAISE(ABORT, 'a terminal state is final');
END;
"""


@pytest.fixture
def old_home(home: Home) -> Home:
    """A home of schema 1 with a job in each live state that a process may be behind, a queued and a finished one."""
    home.path.mkdir(parents=True)
    with sqlite3.connect(home.database) as connection:
        connection.executescript(SCHEMA_1 + "PRAGMA journal_mode=WAL; PRAGMA user_version=1;")
        for job, resource in (
            ("done", "cpu"),
            ("runs", "gpu"),
            ("starts", "gpu"),
            ("runs too", "cpu"),
            ("waits", "gpu"),
        ):
            connection.execute(
                "INSERT INTO jobs(id, kind, spec_hash, document, resource, environment, max_tries, created_at) "
                "VALUES(?, 'add', 'h', '{}', ?, 'ml', 3, 0)",
                (job, resource),
            )
        connection.execute("UPDATE jobs SET state = 'starting', attempt = 1 WHERE id <> 'waits'")
        connection.execute("UPDATE jobs SET state = 'running', tries = 1 WHERE id NOT IN ('waits', 'starts')")
        connection.execute("UPDATE jobs SET state = 'succeeded', ended_at = 1.0 WHERE id = 'done'")
    connection.close()
    return home


def _columns(store: Store) -> list[str]:
    return [row["name"] for row in store.connection.execute("PRAGMA table_info(jobs)")]


def test_an_older_home_opens_with_its_jobs_and_running_ones_hold_their_slots(old_home: Home) -> None:
    store = Store(old_home)

    waits = store.get("waits")
    assert waits is not None
    assert (waits.state, waits.priority, waits.backend, waits.memory_mb) == ("queued", 0, "local", None)
    assert store.leases("gpu") == {0: "runs", 1: "starts"}
    assert store.leases("cpu") == {0: "runs too"}
    assert store.events("done") == [(1, "starting"), (1, "running"), (1, "succeeded")]
    assert store.connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION

    assert store.finish("runs", 1, Outcome("succeeded"))
    assert store.leases("gpu") == {1: "starts"}
    with pytest.raises(sqlite3.IntegrityError, match="terminal"):
        store.connection.execute("UPDATE jobs SET state = 'queued' WHERE id = 'done'")


def test_an_upgraded_home_has_the_same_columns_as_a_new_one(old_home: Home, tmp_path) -> None:
    new = Home(tmp_path / "new")

    assert _columns(Store(old_home)) == _columns(Store(new))
    assert set(_columns(Store(new))) == set(JobRow.__dataclass_fields__)


def test_eight_openers_at_once_upgrade_once(old_home: Home) -> None:
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(lambda _: Store(old_home).in_state("queued"), range(8)))

    assert [[row.id for row in rows] for rows in stores] == [["waits"]] * 8


def test_an_upgrade_that_is_interrupted_leaves_the_older_home_whole(old_home: Home) -> None:
    with sqlite3.connect(old_home.database) as connection:  # the last step of the upgrade will find this in its way
        connection.execute("CREATE TABLE leases(something_else)")
    connection.close()

    with pytest.raises(UserError) as refused:
        Store(old_home).in_state("queued")

    with sqlite3.connect(old_home.database) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    assert refused.value.code == "home_unusable"
    assert "priority" not in names
    assert version == 1


def test_a_row_with_columns_of_a_newer_version_is_still_read(store: Store) -> None:
    store.connection.execute("ALTER TABLE jobs ADD COLUMN of_tomorrow TEXT")
    store.connection.execute(
        "INSERT INTO jobs(id, kind, spec_hash, document, resource, environment, max_tries, created_at) "
        "VALUES('a', 'add', 'h', '{}', 'cpu', 'ml', 3, 0)"
    )

    row = store.get("a")

    assert row is not None
    assert row.id == "a"
