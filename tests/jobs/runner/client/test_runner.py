"""What callers of the runner may rely on; every job here runs in real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.runner.machine import preflight
from jobs.runner.models import Progress
from jobs.runner.paths import Home
from jobs.settings import Settings

BOUND_S = 60.0


def test_a_submitted_job_succeeds_with_result_progress_artifacts_and_log(runner: Runner, settings: Settings) -> None:
    from tiny_kinds import ADD, AddParams

    seen: list[tuple[str, Progress | None]] = []

    submission = runner.submit(ADD, AddParams(numbers=[1, 2, 4]))
    job = runner.wait(submission.job.job_id, BOUND_S, lambda job, progress: seen.append((job.state, progress)))

    assert submission.created
    assert (job.state, job.exit_code, job.attempt, job.tries) == ("succeeded", 0, 1, 1)
    assert job.result == {
        "total": 7.0,
        "folder": str(settings.home / "jobs" / job.job_id),
        "roots": [str(root) for root in settings.roots],
    }
    progress = runner.progress(job.job_id)
    assert progress is not None
    assert (progress.done, progress.total, progress.message, progress.metrics) == (3, 3, "adding", {"number": 4.0})
    assert seen[-1] == ("succeeded", progress)
    assert [(artifact.name, artifact.kind, artifact.size_bytes) for artifact in runner.artifacts(job.job_id)] == [
        ("sum", "report", 4),
        ("out", "other", 4),
    ]
    assert runner.resolve(f"artifact://{job.job_id}/sum").read_text() == "7.0\n"
    assert any("published artifact://" in line for line in runner.log_tail(job.job_id, 10))
    assert runner.log_path(job.job_id).is_file()


def test_the_records_of_a_job_can_be_read_by_their_owner_only(runner: Runner, home: Home) -> None:
    from tiny_kinds import ADD, FAIL, AddParams, FailParams

    for submission in (runner.submit(ADD, AddParams(numbers=[1])), runner.submit(FAIL, FailParams(how="defect"))):
        runner.wait(submission.job.job_id, BOUND_S)

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (home.path / "jobs").rglob("*.json")}
    records = ("job.json", "start.json", "marks.json", "exit.json", "result.json", "failure.json")
    assert modes == dict.fromkeys(records, "0o600")


def test_the_job_file_tells_what_ran_with_what(runner: Runner, home: Home) -> None:
    from tiny_kinds import ADD, AddParams

    job_id = runner.submit(ADD, AddParams(numbers=[1]), fingerprint="inputs-1").job.job_id
    runner.wait(job_id, BOUND_S)

    told = json.loads(home.job_file(job_id).read_text())
    assert (told["kind"], told["entry"], told["params"]["numbers"]) == ("add", "tiny_kinds:add", [1.0])
    assert told["fingerprint"] == "inputs-1"
    assert told["created_at"] == runner.get(job_id).created_at
    assert told["ran_with"]["version"] == "0.1.0"
    assert len(told["ran_with"]["lock_sha256"]) == 64


def test_the_job_survives_the_death_of_the_process_that_submitted_it(
    settings: Settings, runner: Runner, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    script = (
        "import os; from jobs.settings import Settings; from jobs.runner.client.runner import Runner\n"
        "from tiny_kinds import ADD, AddParams\n"
        f"job = Runner(Settings.from_environment()).submit(ADD, AddParams(numbers=[5], gate={str(gate)!r})).job\n"
        "print(job.job_id, flush=True); os.kill(os.getpid(), 9)\n"
    )
    server = subprocess.run(
        [sys.executable, "-c", script], env=settings.to_environment(), capture_output=True, text=True, check=False
    )
    gate.touch()

    job = runner.wait(server.stdout.strip(), BOUND_S)

    assert server.returncode == -9
    assert (job.state, job.result and job.result["total"]) == ("succeeded", 5.0)


def test_the_same_key_gives_the_same_job_and_refuses_other_parameters(runner: Runner) -> None:
    from tiny_kinds import ADD, AddParams

    first = runner.submit(ADD, AddParams(numbers=[1]), key="k")
    again = runner.submit(ADD, AddParams(numbers=[1]), key="k", reuse=False)
    with pytest.raises(UserError) as refused:
        runner.submit(ADD, AddParams(numbers=[2]), key="k")

    assert first.created
    assert not again.created
    assert again.job.job_id == first.job.job_id
    assert refused.value.code == "idempotency_conflict"
    assert first.job.job_id in refused.value.message


def test_a_live_or_succeeded_job_is_reused_while_its_artifacts_are_there(runner: Runner, tmp_path: Path) -> None:
    from tiny_kinds import ADD, AddParams

    gate = tmp_path / "gate"
    params = AddParams(numbers=[1], gate=str(gate))
    first = runner.submit(ADD, params, fingerprint="f").job.job_id
    while_live = runner.submit(ADD, params, fingerprint="f")
    gate.touch()
    runner.wait(first, BOUND_S)
    when_done = runner.submit(ADD, params, fingerprint="f", key="later")
    forced = runner.submit(ADD, params, fingerprint="f", reuse=False)
    runner.wait(forced.job.job_id, BOUND_S)
    other = runner.submit(ADD, params, fingerprint="g")
    for job_id in (first, forced.job.job_id):
        runner.resolve(f"artifact://{job_id}/sum").unlink()
    when_gone = runner.submit(ADD, params, fingerprint="f")
    by_key = runner.submit(ADD, params, fingerprint="f", key="later")

    assert (while_live.created, while_live.job.job_id) == (False, first)
    assert (when_done.created, when_done.job.job_id) == (False, first)
    assert (forced.created, other.created, when_gone.created) == (True, True, True)
    assert (by_key.created, by_key.job.job_id) == (False, first)


def test_a_failed_job_is_not_reused(runner: Runner) -> None:
    from tiny_kinds import FAIL, FailParams

    first = runner.submit(FAIL, FailParams(how="defect"), fingerprint="f").job.job_id
    runner.wait(first, BOUND_S)

    assert runner.submit(FAIL, FailParams(how="defect"), fingerprint="f").created


def test_jobs_are_listed_newest_first_page_by_page_and_by_state_and_kind(runner: Runner) -> None:
    from tiny_kinds import ADD, ADD_ONCE, AddParams

    ids = [runner.submit(ADD, AddParams(numbers=[number])).job.job_id for number in range(3)]
    other = runner.submit(ADD_ONCE, AddParams()).job.job_id
    for job_id in [*ids, other]:
        runner.wait(job_id, BOUND_S)

    assert [job.job_id for job in runner.list()] == [other, *reversed(ids)]
    assert [job.job_id for job in runner.list(limit=2)] == [other, ids[2]]
    assert [job.job_id for job in runner.list(before=ids[2])] == [ids[1], ids[0]]
    assert [job.job_id for job in runner.list(kind="add_once", state="succeeded")] == [other]
    assert runner.list(state="failed") == []
    with pytest.raises(UserError, match=f"Did you mean '{other}'"):
        runner.get(other[:-1])


def test_an_unknown_job_is_told_with_the_next_move(runner: Runner) -> None:
    with pytest.raises(UserError) as unknown:
        runner.get("add-20260101-000000-0000")

    assert unknown.value.code == "job_unknown"
    assert "add-20260101-000000-0000" in unknown.value.message
    assert "list_jobs" in unknown.value.hint


def test_a_missing_environment_is_refused_before_a_job_exists(runner: Runner) -> None:
    from tiny_kinds import ELSEWHERE, FailParams

    with pytest.raises(UserError) as refused:
        runner.submit(ELSEWHERE, FailParams(how="defect"))

    assert refused.value.code == "environment_missing"
    assert refused.value.hint == "Call setup, then this again."
    assert runner.list() == []


def test_an_environment_whose_set_up_was_interrupted_is_missing(settings: Settings) -> None:
    (settings.envs / "ml" / ".unfinished").touch()

    with pytest.raises(UserError, match="not set up to its end") as refused:
        preflight.check(settings, "ml")

    assert refused.value.code == "environment_missing"


def test_below_the_disk_reserve_nothing_is_taken(settings: Settings) -> None:
    from tiny_kinds import ADD, AddParams

    runner = Runner(replace(settings, disk_reserve_bytes=10**18))

    with pytest.raises(UserError) as refused:
        runner.submit(ADD, AddParams())

    assert refused.value.code == "disk_full"
    assert "at least 1000000000000 MB" in refused.value.message
    assert runner.list() == []


def test_waiting_ends_at_the_timeout_with_the_job_as_it_is(runner: Runner, tmp_path: Path) -> None:
    from tiny_kinds import ADD, AddParams

    job_id = runner.submit(ADD, AddParams(gate=str(tmp_path / "never"))).job.job_id

    assert not runner.wait(job_id, 0.05).is_finished


def test_a_kind_that_the_worker_could_not_find_again_is_refused(runner: Runner) -> None:
    from tiny_kinds import ADD, AddParams

    with pytest.raises(TypeError, match="tiny_kinds"):
        runner.submit(replace(ADD, name="hidden"), AddParams())


def test_more_memory_than_the_machine_has_is_refused_before_a_job_exists(runner: Runner) -> None:
    from tiny_kinds import ADD, AddParams

    with pytest.raises(UserError) as refused:
        runner.submit(ADD, AddParams(), memory_mb=10**9)

    assert refused.value.code == "memory_too_large"
    assert "1000000000 MB" in refused.value.message
    assert runner.list() == []


def test_an_unknown_backend_is_refused_with_those_there_are(runner: Runner) -> None:
    from tiny_kinds import ADD, AddParams

    with pytest.raises(UserError, match="local or slurm") as refused:
        runner.submit(ADD, AddParams(), backend="kubernetes")

    assert refused.value.code == "backend_unknown"


def test_a_job_of_another_backend_needs_no_environment_here_and_says_what_it_waits_for(
    runner: Runner, settings: Settings
) -> None:
    from tiny_kinds import ADD, AddParams

    settings.python("ml").unlink()

    job = runner.submit(ADD, AddParams(), backend="slurm", not_before=4102444800.0, priority=3).job

    assert (job.state, job.backend, job.priority) == ("queued", "slurm", 3)
    assert job.detail == "waits until 2100-01-01 00:00:00 UTC"


def test_long_silence_of_a_running_job_is_told_and_nothing_else(
    runner: Runner, home: Home, tmp_path: Path, until: Callable[[Callable[[], object]], object]
) -> None:
    from tiny_kinds import ADD, AddParams

    job_id = runner.submit(ADD, AddParams(numbers=[1], gate=str(tmp_path / "gate"))).job.job_id
    folder = home.attempt(job_id, 1)
    until(lambda: runner.progress(job_id))
    an_hour_ago = time.time() - 3600
    for file in (folder.start, folder.progress):
        os.utime(file, (an_hour_ago, an_hour_ago))

    silent = runner.get(job_id)
    (tmp_path / "gate").touch()

    assert (silent.state, silent.detail) == ("running", "no progress for 60 min")
    assert runner.wait(job_id, BOUND_S).state == "succeeded"


def test_the_lineage_of_an_artifact_leads_to_the_jobs_it_was_made_of(runner: Runner, home: Home) -> None:
    from tiny_kinds import ADD, AddParams

    first = runner.wait(runner.submit(ADD, AddParams(numbers=[1])).job.job_id, 60).job_id
    reads = AddParams(numbers=[2], journal=str(home.job(first) / "out" / "journal"))
    second = runner.wait(runner.submit(ADD, reads).job.job_id, 60).job_id

    made_by = runner.lineage(second)

    assert (made_by.kind, made_by.state) == ("add", "succeeded")
    assert made_by.params["numbers"] == [2]
    assert made_by.from_jobs == [first]
    assert made_by.version is not None
    assert runner.lineage(first).from_jobs == []
