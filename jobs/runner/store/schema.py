"""The tables of the job store. stdlib only.

A change of shape raises ``SCHEMA_VERSION`` and brings the way from the version before.
"""

import sqlite3
from collections.abc import Iterator

SCHEMA_VERSION = 2
# Repeated in every query on live jobs: it lets SQLite use the partial index, without which a long history is read.
LIVE_SQL = "('queued', 'starting', 'running', 'interrupted')"

# What version 2 has added to ``jobs``; ``ALTER TABLE`` appends in this order, so both ways give the same table.
_ADDED_IN_2 = (
    "priority INTEGER NOT NULL DEFAULT 0",  # higher first
    "not_before REAL",  # Unix time: a wish of the submitter, or when the next try begins
    "max_run_s REAL",  # per attempt
    "backend TEXT NOT NULL DEFAULT 'local'",
    "backend_ref TEXT",  # what the backend calls the attempt, e.g. a Slurm id
    "memory_mb INTEGER",  # declared need
)
NEW_COLUMNS = ", ".join(_ADDED_IN_2)

TABLES_OF_2 = """
CREATE INDEX IF NOT EXISTS jobs_queue ON jobs(resource, priority DESC, seq) WHERE state = 'queued';
CREATE INDEX IF NOT EXISTS jobs_state ON jobs(state, seq);
CREATE INDEX IF NOT EXISTS jobs_kind_state ON jobs(kind, state, seq);
CREATE TABLE IF NOT EXISTS deps(
  job TEXT NOT NULL, needs TEXT NOT NULL, PRIMARY KEY(job, needs)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deps_needs ON deps(needs);
CREATE INDEX IF NOT EXISTS jobs_due ON jobs(not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS dependency_failed AFTER UPDATE OF state ON jobs
WHEN new.state IN ('failed', 'cancelled') BEGIN
  UPDATE jobs SET state = 'cancelled', reason = 'dependency', ended_at = new.ended_at,
    detail = CASE new.reason WHEN 'dependency' THEN new.detail ELSE
      'needs ' || new.id || ', which '
      || iif(new.state = 'failed', 'failed (' || coalesce(new.reason, 'exit') || '): ', 'was cancelled: ')
      || new.detail END
    WHERE state = 'queued' AND id IN (SELECT job FROM deps WHERE needs = new.id);
END;
CREATE TABLE IF NOT EXISTS leases(
  resource TEXT NOT NULL, unit INTEGER NOT NULL, job TEXT NOT NULL, attempt INTEGER NOT NULL, UNIQUE(resource, unit));
CREATE TRIGGER IF NOT EXISTS lease_ends AFTER UPDATE OF state ON jobs
WHEN old.state IN ('starting', 'running') AND new.state NOT IN ('starting', 'running') BEGIN
  DELETE FROM leases WHERE job = new.id;
END;
CREATE TABLE IF NOT EXISTS schedules(
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, document TEXT NOT NULL, resource TEXT NOT NULL, environment TEXT NOT NULL,
  max_tries INTEGER NOT NULL, every_s REAL, cron TEXT, tz TEXT, catch_up INTEGER NOT NULL DEFAULT 0, next_at REAL,
  last_job TEXT, n_runs INTEGER NOT NULL DEFAULT 0, enabled INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL,
  note TEXT NOT NULL DEFAULT '');
"""

SCHEMA = f"""
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
  created_at REAL NOT NULL, started_at REAL, ended_at REAL,
  {NEW_COLUMNS});
CREATE INDEX IF NOT EXISTS jobs_live ON jobs(state, cancel, resource, seq) WHERE state IN {LIVE_SQL};
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
{TABLES_OF_2}"""

# Jobs that run while the home is opened by the newer version hold their slots from then on.
_LEASES_OF_RUNNING = """
INSERT INTO leases(resource, unit, job, attempt)
  SELECT resource, row_number() OVER (PARTITION BY resource ORDER BY seq) - 1, id, attempt
  FROM jobs WHERE state IN ('starting', 'running');
"""
# From each older version to the next one.
MIGRATIONS = {
    1: "".join(f"ALTER TABLE jobs ADD COLUMN {column};" for column in _ADDED_IN_2) + TABLES_OF_2 + _LEASES_OF_RUNNING,
}


def upgrade(connection: sqlite3.Connection) -> int:
    """Make the tables, or bring those of an older version up to date, in one transaction. Returns the version."""
    version = _version(connection)
    if version >= SCHEMA_VERSION:
        return version
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been faster
        steps = [SCHEMA] if version == 0 else [MIGRATIONS[older] for older in range(version, SCHEMA_VERSION)]
        for statement in _statements("".join(steps)):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={max(version, SCHEMA_VERSION)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return max(version, SCHEMA_VERSION)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """The statements of a script. ``executescript`` would commit what is open before it begins."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
