"""End of an attempt, determined from its folder. stdlib only.

Precedence: the shim's exit record, the exit code that the supervisor reaped, the worker's ``result.json`` or
``failure.json``. Where there is none of these the attempt was interrupted; nothing is guessed.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.files import records
from jobs.runner.machine import limits
from jobs.runner.paths import AttemptFolder

CANCELLED_EXIT = 75  # EX_TEMPFAIL of sysexits.h: the worker stopped at a safe point because it was asked to
MOST_CODE = 2**31
"""Exit codes of systems are smaller."""
# Signals that come from outside (a person, a shutdown, a container's end), not from a defect of the work.
OUTSIDE_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@dataclass(frozen=True)
class Exit:
    """End of the worker process. ``code`` is negative for a signal, as in ``subprocess``.

    ``cancelled`` and ``timed_out``: the runner has stopped it, and why.
    """

    code: int
    cancelled: bool = False
    oom: bool = False
    spawn_error: str = ""
    timed_out: bool = False


@dataclass(frozen=True)
class Outcome:
    """End of an attempt, as the store keeps it."""

    state: str
    reason: str | None = None
    detail: str = ""
    exit_code: int | None = None
    result: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None


def read_exit(folder: AttemptFolder) -> Exit | None:
    """Read the exit that the shim recorded; None when there is none (yet), or one of another form."""
    record = records.read_record(folder.exit)
    if record is None or not record.keys() >= {"code", "cancelled", "oom", "spawn_error"}:
        return None
    code = record["code"]
    if type(code) is not int or not -MOST_CODE <= code <= MOST_CODE:
        return None
    return Exit(
        code,
        bool(record.get("cancelled")),
        bool(record.get("oom")),
        _text(record.get("spawn_error") or ""),
        bool(record.get("timed_out")),  # not written by older shims
    )


def determine_outcome(
    exit_: Exit | None,
    result: Mapping[str, Any] | None,
    failure: Mapping[str, Any] | None,
    *,
    cancel_asked: bool = False,
) -> Outcome:
    """Determine how an attempt ended.

    Args:
        exit_: the shim's record or the supervisor's reaping; None when both were lost.
        result: content of ``result.json``.
        failure: content of ``failure.json``.
        cancel_asked: whether the store notes a cancel; decides only where there is no exit record.
    """
    if exit_ is None:
        return _without_exit(result, failure, cancel_asked)
    if exit_.spawn_error:
        return Outcome("failed", "spawn", f"the worker could not be started: {exit_.spawn_error}", exit_.code)
    if result is not None:  # the work was done, whether a cancel or a crash of the interpreter's end came after it
        detail = "" if exit_.code == 0 else f"the work was done; its process then ended with {_name(exit_.code)}"
        return Outcome("succeeded", None, detail, exit_.code, result)
    if exit_.timed_out:  # final: the next attempt would have no more time
        detail = "it was stopped at its longest run time (max_run_s); what it had finished is kept"
        return Outcome("failed", "timeout", detail, exit_.code)
    if exit_.cancelled:
        return Outcome("cancelled", "cancelled", "cancelled while it ran; what it had finished is kept", exit_.code)
    if failure is not None:
        return _failed(failure, exit_.code)
    if exit_.code < 0:
        return _by_signal(exit_)
    if exit_.code == CANCELLED_EXIT:
        return Outcome("interrupted", "signal", "terminated by an external SIGTERM", exit_.code)
    return Outcome(
        "failed",
        "exit",
        f"the worker exited with code {exit_.code} and without an error message; see the log",
        exit_.code,
    )


def _name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _by_signal(exit_: Exit) -> Outcome:
    name = _name(exit_.code)
    if exit_.oom:
        detail = f"killed ({name}) while the kernel's out-of-memory killer was at work: memory ran out"
        return Outcome("failed", "oom_likely", detail, exit_.code)
    told = limits.explain_exit(exit_.code)
    if told is not None:
        failure = {"code": told.code, "message": told.message, "hint": told.hint, "reason": "exit"}
        return _failed(failure, exit_.code)
    if -exit_.code in OUTSIDE_SIGNALS:
        return Outcome("interrupted", "signal", f"killed by an external {name}", exit_.code)
    return Outcome("failed", "signal", f"the worker crashed ({name}); see the log", exit_.code)


def _without_exit(result: Mapping[str, Any] | None, failure: Mapping[str, Any] | None, cancel_asked: bool) -> Outcome:
    if result is not None:
        return Outcome("succeeded", None, "the exit status was lost; the result was written", None, result)
    if failure is not None:
        return _failed(failure, None)
    if cancel_asked:
        return Outcome("cancelled", "cancelled", "cancelled; no process of it is left")
    return Outcome("interrupted", "lost", "no process of this attempt is left and no exit status was written")


def _failed(failure: Mapping[str, Any], code: int | None) -> Outcome:
    """Take of a worker's failure the texts that the store can hold, whatever the worker has written."""
    texts = {name: _text(failure.get(name, "")) for name in ("code", "message", "hint")}
    detail = f"{texts['code']}: {texts['message']}"
    return Outcome("failed", _text(failure.get("reason", "exit")), detail, code, None, dict(failure) | texts)


def _text(value: object) -> str:
    return str(value).encode("utf-8", errors="replace").decode()  # SQLite takes no lone surrogates
