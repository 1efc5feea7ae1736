"""How failing work is told, from a real worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.settings import PROJECT_ROOT

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


@pytest.mark.parametrize("how", ["well", "failed", "cancelled", "crashed"])
def test_work_that_has_ended_in_any_way_can_go_on_but_not_over_what_was_changed_since(
    runner: Runner, tmp_path: Path, until: Callable[[Callable[[], object]], object], how: str
) -> None:
    from tiny_kinds import LEAVE, LeaveParams

    made = tmp_path / "out" / "made"
    first = runner.submit(LEAVE, LeaveParams(out_dir=str(tmp_path / "out"), how=how)).job.job_id
    if how == "cancelled":
        until((made / "part").exists)
        runner.cancel(first)
    ended = runner.wait(first, BOUND_S)
    mark = json.loads((tmp_path / "out" / ".tts-train" / "leave.out_dir.json").read_text())

    again = runner.wait(runner.submit(LEAVE, LeaveParams(out_dir=str(tmp_path / "out"), seed=7)).job.job_id, BOUND_S)
    (made / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="output_not_ours"):
        runner.submit(LEAVE, LeaveParams(out_dir=str(tmp_path / "out"), seed=8))

    assert ended.state == {"well": "succeeded", "crashed": "failed"}.get(how, how)
    assert (mark["job"], list(mark["made"])) == (first, ["made"])
    assert again.state == "succeeded"
    assert (made / "part").read_text() == "7\n"


ENDS = """
import atexit, threading
from jobs.runner.worker import worker

class Kept:
    def __del__(self):
        print("taken down")

def work(*_):
    print("worked")
    atexit.register(print, "called back")
    threading.Thread(target=lambda: (threading.main_thread().join(), print("thread"))).start()
    return 3

kept = Kept()
worker.work, worker.follow_jobs_link = work, lambda home: None
worker.main()
"""


def test_a_worker_that_ends_waits_for_threads_and_callbacks_and_takes_nothing_down(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS, str(tmp_path)], capture_output=True, text=True, check=False, cwd=PROJECT_ROOT,
        env={**os.environ, "TTS_TRAIN_HOME": str(tmp_path)},
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.splitlines() == ["worked", "thread", "called back"]


def test_a_cancel_that_comes_while_the_interpreter_ends_does_not_falsify_the_exit_code() -> None:
    late = (
        "import os, signal, sys\n"
        "from jobs.runner.worker.worker import leave\n"
        "class Late:\n"
        "    def __del__(self, kill=os.kill, pid=os.getpid()): kill(pid, 15)\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "sys.modules['late'] = Late()\n"
        "leave(0)\n"
    )

    assert subprocess.run([sys.executable, "-c", late], check=False).returncode == 0


def test_work_is_done_though_its_marks_cannot_be_written(runner: Runner, tmp_path: Path) -> None:
    from tiny_kinds import LEAVE, LeaveParams

    job_id = runner.submit(LEAVE, LeaveParams(out_dir=str(tmp_path / "out"), how="unmarked")).job.job_id

    assert runner.wait(job_id, BOUND_S).state == "succeeded"
    assert "could not be recorded" in "\n".join(runner.log_tail(job_id, 100))


def test_what_a_refused_job_found_is_not_marked_as_its_own(runner: Runner, tmp_path: Path) -> None:
    from tiny_kinds import LEAVE, LeaveParams

    waiting = runner.submit(LEAVE, LeaveParams(out_dir=str(tmp_path / "out")), not_before=time.time() + 1).job.job_id
    (tmp_path / "out" / "made").mkdir(parents=True)
    ended = runner.wait(waiting, BOUND_S)

    assert ended.failure is not None
    assert ended.failure.code == "output_not_ours"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["made"]


@pytest.mark.parametrize("how", ["defect"])
def test_the_progress_of_failed_work_is_kept(runner: Runner, how: str) -> None:
    from tiny_kinds import FAIL, FailParams

    job_id = runner.submit(FAIL, FailParams(how=how)).job.job_id
    runner.wait(job_id, BOUND_S)

    progress = runner.progress(job_id)
    assert progress is not None
    assert (progress.done, progress.message) == (1, "about to fail")
