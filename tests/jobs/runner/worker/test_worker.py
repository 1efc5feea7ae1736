"""How failing work is told, from a real worker."""

from __future__ import annotations

import pytest

from jobs.runner.client.runner import Runner

BOUND_S = 60.0


def test_every_way_to_fail_has_its_code_and_reason(runner: Runner) -> None:
    from tiny_kinds import FAIL, FailParams

    hows = ["user_error", "refused", "defect", "cuda_oom", "disk_full", "silent_exit", "crash"]
    ids = {how: runner.submit(FAIL, FailParams(how=how)).job.job_id for how in hows}
    ended = {how: runner.wait(job_id, BOUND_S) for how, job_id in ids.items()}

    assert {job.state for job in ended.values()} == {"failed"}
    assert {how: (job.reason, job.exit_code, job.failure and job.failure.code) for how, job in ended.items()} == {
        "user_error": ("exit", 1, "voice_silent"),
        "refused": ("exit", 1, "how_refused"),
        "defect": ("exit", 1, "internal_error"),
        "cuda_oom": ("cuda_oom", 1, "cuda_oom"),
        "disk_full": ("disk_full", 1, "disk_full"),
        "silent_exit": ("exit", 7, None),
        "crash": ("signal", -6, None),
    }
    told = ended["user_error"].failure
    assert told is not None
    assert (told.message, told.hint) == ("The recording has no voice.", "Give another recording.")
    assert "voice_silent: The recording has no voice." in "\n".join(runner.log_tail(ids["user_error"], 4))
    defect = ended["defect"].failure
    assert defect is not None
    assert defect.message == "KeyError: 'no such thing'"
    assert any("Traceback" in line for line in runner.log_tail(ids["defect"], 50))
    memory = ended["cuda_oom"].failure
    assert memory is not None
    assert "batch_size" in memory.hint
    assert {job.tries for job in ended.values()} == {1}


@pytest.mark.parametrize("how", ["defect"])
def test_the_progress_of_failed_work_is_kept(runner: Runner, how: str) -> None:
    from tiny_kinds import FAIL, FailParams

    job_id = runner.submit(FAIL, FailParams(how=how)).job.job_id
    runner.wait(job_id, BOUND_S)

    progress = runner.progress(job_id)
    assert progress is not None
    assert (progress.done, progress.message) == (1, "about to fail")
