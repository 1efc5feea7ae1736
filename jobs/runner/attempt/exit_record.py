"""How an attempt ended, read from its folder. stdlib only."""

from __future__ import annotations

from jobs import atomic_io
from jobs.runner.attempt.outcome import Exit
from jobs.runner.paths import AttemptFolder


def recorded_exit(folder: AttemptFolder) -> Exit | None:
    """The exit that the shim wrote down; None when there is none (yet)."""
    record = atomic_io.read_json(folder.exit)
    if record is None:
        return None
    timed_out = record.get("timed_out", False)  # not written by older shims
    return Exit(record["code"], record["cancelled"], record["oom"], record["spawn_error"], timed_out)
