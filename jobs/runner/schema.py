"""The tables of the job store. stdlib only.

A change of shape raises ``SCHEMA_VERSION`` and brings the way from the version before.
"""

from __future__ import annotations

SCHEMA_VERSION = 1
# Repeated in every query on live jobs: it lets SQLite use the partial index, without which a long history is read.
LIVE_SQL = "('queued', 'starting', 'running', 'interrupted')"

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
  created_at REAL NOT NULL, started_at REAL, ended_at REAL);
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
"""
