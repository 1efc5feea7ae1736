"""What follows from Slurm's word and the shim's files."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.runner.slurm.squeue_parser import SlurmJob
from jobs.runner.slurm.state_resolver import LOST_S, MISSING_S, Evidence, Resolution, resolve_state


def _job(state: str) -> SlurmJob:
    return SlurmJob("7", state, 100.0, "Resources", "tts:a:1")


def _verdict(**known: Any) -> Resolution:
    nothing = {"has_exit": False, "owner": None, "quiet_s": 0.0, "answers": True, "job": None, "missing_s": 0.0}
    return resolve_state(Evidence(**(nothing | known)))[0]


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "FAILED"])
def test_an_exit_record_is_the_truth_whatever_slurm_says(state: str) -> None:
    assert _verdict(has_exit=True, owner="n1:7:ab", job=_job(state)) is Resolution.ENDED


def test_an_id_that_slurm_does_not_know_yet_is_no_end() -> None:
    assert _verdict(missing_s=MISSING_S / 2) is Resolution.UNKNOWN


def test_a_submission_that_slurm_has_lost_is_given_up() -> None:
    assert _verdict(missing_s=MISSING_S) is Resolution.GIVE_UP


def test_nothing_changes_while_slurmctld_is_away() -> None:
    assert _verdict(answers=False, missing_s=10 * MISSING_S) is Resolution.UNKNOWN
    assert _verdict(answers=False, owner="n1:7:ab", quiet_s=10 * LOST_S) is Resolution.UNKNOWN


def test_a_job_in_the_queue_waits() -> None:
    assert _verdict(job=_job("PENDING")) is Resolution.WAITING
    assert _verdict(job=_job("RUNNING")) is Resolution.WAITING  # the shim has not begun yet


@pytest.mark.parametrize("state", ["CANCELLED", "NODE_FAIL", "FAILED", "TIMEOUT"])
def test_a_job_that_ended_before_its_shim_began_is_given_up(state: str) -> None:
    assert _verdict(job=_job(state)) is Resolution.GIVE_UP


def test_a_shim_with_a_sign_of_life_is_alive_whatever_slurm_says() -> None:
    assert _verdict(owner="n1:7:ab", job=_job("FAILED")) is Resolution.ALIVE
    assert _verdict(owner="n1:7:ab", answers=False) is Resolution.ALIVE
    assert _verdict(owner="n1:7:ab", missing_s=10 * MISSING_S) is Resolution.ALIVE  # forgotten after MinJobAge


def test_a_silent_shim_is_lost_only_when_slurms_job_is_over_or_gone() -> None:
    assert _verdict(owner="n1:7:ab", quiet_s=LOST_S, job=_job("RUNNING")) is Resolution.ALIVE
    assert _verdict(owner="n1:7:ab", quiet_s=LOST_S, job=_job("NODE_FAIL")) is Resolution.LOST
    assert _verdict(owner="n1:7:ab", quiet_s=LOST_S, job=None) is Resolution.LOST
    assert (
        _verdict(owner="n1:7:ab", quiet_s=LOST_S, job=_job("PENDING")) is Resolution.LOST
    )  # held after a failed launch


def test_an_attempt_that_was_given_up_stays_given_up() -> None:
    assert _verdict(owner="supervisor", job=_job("RUNNING")) is Resolution.ENDED


def test_what_could_not_be_handed_over_yet_waits() -> None:
    assert _verdict(asked=False, missing_s=10 * MISSING_S) is Resolution.UNKNOWN
