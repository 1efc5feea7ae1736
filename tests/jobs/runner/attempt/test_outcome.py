"""Rule 2 of ``jobs.runner``, the precedence of exit sources, case by case."""

from __future__ import annotations

import signal

import pytest

from jobs.runner.attempt.outcome import CANCELLED_EXIT, Exit, determine_outcome

RESULT = {"total": 1}
FAILURE = {"code": "voice_silent", "message": "No voice.", "hint": "Another.", "reason": "exit"}


@pytest.mark.parametrize(
    ("exit_", "result", "failure", "cancel_asked", "state", "reason"),
    [
        pytest.param(Exit(0), RESULT, None, False, "succeeded", None, id="a result and exit code 0"),
        pytest.param(Exit(0, cancelled=True), RESULT, None, True, "succeeded", None, id="done before the cancel"),
        pytest.param(Exit(0), None, None, False, "failed", "exit", id="exit code 0 without a result"),
        pytest.param(Exit(1), None, FAILURE, False, "failed", "exit", id="a failure that was told"),
        pytest.param(Exit(1), None, FAILURE | {"reason": "cuda_oom"}, False, "failed", "cuda_oom", id="gpu memory"),
        pytest.param(Exit(-signal.SIGKILL), None, FAILURE, False, "failed", "exit", id="killed after its last word"),
        pytest.param(Exit(1, cancelled=True), None, FAILURE, True, "cancelled", "cancelled", id="failed of a cancel"),
        pytest.param(Exit(CANCELLED_EXIT, cancelled=True), None, None, True, "cancelled", "cancelled", id="cancel"),
        pytest.param(Exit(CANCELLED_EXIT), None, None, False, "interrupted", "signal", id="SIGTERM from outside"),
        pytest.param(Exit(-signal.SIGKILL), None, None, False, "interrupted", "signal", id="kill -9"),
        pytest.param(Exit(-signal.SIGKILL, oom=True), None, None, False, "failed", "oom_likely", id="out of memory"),
        pytest.param(Exit(CANCELLED_EXIT, timed_out=True), None, None, False, "failed", "timeout", id="out of time"),
        pytest.param(Exit(1, timed_out=True), None, FAILURE, False, "failed", "timeout", id="failed of its time's end"),
        pytest.param(Exit(0, timed_out=True), RESULT, None, False, "succeeded", None, id="done before its time's end"),
        pytest.param(Exit(-signal.SIGSEGV), None, None, False, "failed", "signal", id="crash"),
        pytest.param(Exit(127, spawn_error="no such file"), None, None, False, "failed", "spawn", id="no interpreter"),
        pytest.param(None, RESULT, None, True, "succeeded", None, id="exit lost, result there"),
        pytest.param(None, None, FAILURE, False, "failed", "exit", id="exit lost, failure there"),
        pytest.param(None, None, None, True, "cancelled", "cancelled", id="everything lost after a cancel"),
        pytest.param(None, None, None, False, "interrupted", "lost", id="everything lost"),
    ],
)
def test_the_end_of_an_attempt_is_told_from_what_it_left(
    exit_: Exit | None,
    result: dict[str, object] | None,
    failure: dict[str, object] | None,
    cancel_asked: bool,
    state: str,
    reason: str | None,
) -> None:
    outcome = determine_outcome(exit_, result, failure, cancel_asked=cancel_asked)

    assert (outcome.state, outcome.reason) == (state, reason)
    assert outcome.exit_code == (exit_.code if exit_ else None)
    assert outcome.detail or state == "succeeded"


def test_work_that_wrote_its_result_and_crashed_while_leaving_has_succeeded() -> None:
    outcome = determine_outcome(Exit(-signal.SIGSEGV), RESULT, None)

    assert (outcome.state, outcome.exit_code, outcome.result) == ("succeeded", -signal.SIGSEGV, RESULT)
    assert "SIGSEGV" in outcome.detail
