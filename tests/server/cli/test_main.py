"""The command line as a process: exit codes, streams, waiting, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.errors import UserError
from jobs.settings import PROJECT_ROOT
from server.cli.commands import command_named
from server.cli.flags import read_flags
from tools.core.registry import all_tools

if TYPE_CHECKING:
    from conftest import App

Until = Callable[[Callable[[], object]], None]


def test_a_finished_job_is_exit_0_and_one_object(app: App) -> None:
    code, job = app.json("count-slowly", "--up-to", "5")  # without a terminal, too, a start follows its job

    assert code == 0
    assert job["next"] == f'Read "{job["result"]["note"]}"; it says 5.'
    assert job["next_command"] == job["next"]
    assert job["state"] == "succeeded"
    assert job["result"]["counted"] == 5
    assert job["poll_after_s"] is None


@pytest.mark.parametrize("flags", [("--no-wait",), ("--not-before", "8h")])
def test_a_tool_returns_the_handle_at_once_when_told_or_when_it_starts_later(app: App, flags: tuple[str, ...]) -> None:
    code, job = app.json("count_slowly", "--up-to=6", "--gate", "later", "--no-reuse", *flags)

    assert code == 0
    assert job["state"] in ("queued", "starting", "running")
    assert app.json("cancel", job["job_id"])[1]["state"] == "cancelled"


def test_a_failed_job_is_exit_1_with_its_reason(app: App) -> None:
    code, job = app.json("count-slowly", "--fails", "--wait")
    told = app.run("job", job["job_id"])

    assert code == 1
    assert job["error"]["code"] == "count_lost"
    assert told.returncode == 1
    assert "count_lost: The count was lost at the end." in told.stdout
    assert "Count again with fails=false." in told.stdout


def test_bad_input_is_exit_2_and_one_object(app: App) -> None:
    code, told = app.json("count-slowly", "--upto", "5")

    assert code == 2
    assert told["error"]["code"] == "bad_arguments"
    assert told["error"]["message"] == "count_slowly: unknown argument '--upto'; did you mean '--up-to'?"


def test_errors_for_people_go_to_stderr(app: App) -> None:
    done = app.run("align", "--manifest", "nowhere.jsonl")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("manifest_missing: Cannot open ")


def test_a_tool_that_fails_to_import_is_reported_as_an_internal_error(app: App, tmp_path: Path) -> None:
    (tmp_path / "broken_import.py").write_text('raise ImportError("a library is missing")\n')
    script = "import sys, tools; from server.cli.main import main; tools.__path__.append(sys.argv[1]); "
    command = [sys.executable, "-c", script + "sys.exit(main(sys.argv[2:]))", str(tmp_path), "align"]
    start = partial(subprocess.run, env=os.environ | app.env, cwd=app.cwd, capture_output=True, text=True, check=False)

    told, as_object = start(command), start([*command, "--json"])

    assert told.returncode == as_object.returncode == 1
    assert told.stdout == ""
    assert told.stderr.startswith("internal_error: align failed unexpectedly (incident ")
    assert "Traceback" not in told.stderr
    assert json.loads(as_object.stdout)["error"]["code"] == "internal_error"
    assert "a library is missing" in (app.home / "errors.log").read_text()


def test_a_misspelt_command_names_the_nearest(app: App) -> None:
    for typed, meant in [
        ("aling", "align"),
        ("start-trainig", "start_training"),
        ("dcotor", "doctor"),
        ("job5", "job"),
    ]:
        done = app.run(typed)

        assert done.returncode == 2
        assert f"Did you mean {meant!r}?" in done.stderr


def test_paths_are_the_persons_own_unless_roots_are_set(app: App, tmp_path: Path) -> None:
    manifest = tmp_path / "elsewhere.jsonl"
    manifest.write_text('{"audio": "a.wav", "text": "A line."}\n')

    free = app.run("align", "--manifest", str(manifest), "--dry-run", "--json")
    kept = app.run("align", "--manifest", str(manifest), "--dry-run", "--json", TTS_TRAIN_ROOTS=str(app.home))

    assert json.loads(free.stdout)["result"]["would_run"]["out"] == str(tmp_path / "train_aligned.jsonl")
    assert json.loads(kept.stdout)["error"]["code"] == "path_outside_roots"


def test_waiting_shows_progress_on_stderr_and_the_answer_on_stdout(app: App) -> None:
    done = app.run("count-slowly", "--up-to", "8", "--wait")

    assert done.returncode == 0
    assert "counting: " in done.stderr
    assert "succeeded after" in done.stdout.splitlines()[0]
    assert "counted: 8" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("next: Read ")


def test_a_pipeline_can_be_waited_for_and_a_tool_without_a_job_says_that_it_cannot() -> None:
    tools = all_tools()

    words = ["--audio", "a.m4b", "--voice", "anna", "--wait"]
    assert getattr(read_flags(command_named("make_voice", words), tools["make_voice"], words)[2], "@wait") is True
    with pytest.raises(UserError, match="--wait does not apply here"):
        read_flags(command_named("list_jobs", ["--wait"]), tools["list_jobs"], ["--wait"])


def test_ctrl_c_while_waiting_leaves_the_job_running_and_says_how_to_follow_and_stop_it(
    app: App,
) -> None:
    waiting = subprocess.Popen(
        app.command("count-slowly", "--up-to", "9", "--gate", "never", "--wait", "--json"),
        env=app.env,
        cwd=app.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a test run in a shell's background ignores SIGINT, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert any("running" in line for line in waiting.stderr)

    waiting.send_signal(signal.SIGINT)
    stdout, stderr = waiting.communicate(timeout=30)

    job = json.loads(stdout)
    assert waiting.returncode == 130
    assert f"./run.sh job {job['job_id']} --wait" in stderr
    assert f"./run.sh cancel {job['job_id']}" in stderr
    assert app.json("job", job["job_id"])[1]["state"] == "running"
    assert app.json("cancel", job["job_id"])[1]["state"] == "cancelled"


def test_logs_are_followed_to_the_end(app: App) -> None:
    _, job = app.json("count-slowly", "--up-to", "12", "--gate", "gate-logs", "--no-wait")
    following = subprocess.Popen(
        app.command("logs", job["job_id"], "-f"),
        env=app.env,
        cwd=app.cwd,
        stdout=subprocess.PIPE,
        text=True,
    )
    (app.cwd / "gate-logs").touch()

    stdout, _ = following.communicate(timeout=60)

    assert following.returncode == 0
    assert "counting up to 12" in stdout
    assert app.json("logs", job["job_id"])[1]["lines"] == stdout.splitlines()


def test_jobs_lists_the_newest_first(app: App) -> None:
    for _ in range(3):  # more than are listed
        _, newest = app.json("count-slowly", "--no-reuse", "--wait")

    code, listed = app.json("jobs", "--limit", "2")
    told = app.run("jobs", "--limit", "2")

    assert code == 0
    assert listed["jobs"][0]["job_id"] == newest["job_id"]
    assert len(listed["jobs"]) == 2
    assert newest["job_id"] in told.stdout.splitlines()[0]
    assert f'before="{listed["jobs"][1]["job_id"]}"' in listed["next"]


def test_an_unknown_job_is_bad_input(app: App) -> None:
    for words in (["job", "nothing"], ["logs", "nothing"], ["cancel", "nothing"]):
        code, told = app.json(*words)

        assert code == 2
        assert told["error"]["code"] == "job_unknown"


def test_the_version_is_that_of_pyproject(app: App) -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]

    script = subprocess.run([PROJECT_ROOT / "run.sh", "--version"], capture_output=True, text=True, check=True)

    assert app.run("--version").stdout == script.stdout == f"{project['name']} {project['version']}\n"


def test_tools_and_help_name_every_tool(app: App) -> None:
    told = app.run("--help").stdout
    _, listed = app.json("tools")

    names = [tool["name"] for tool in listed["tools"]]
    assert "start_training" in names
    assert all(name in told for name in names)
    assert "train-qwen3" in told
    assert "Exit codes" in told


def test_help_is_given_with_a_faulty_configuration_and_a_command_says_what_is_wrong(app: App) -> None:
    app.home.mkdir(exist_ok=True)
    (app.home / "config.toml").write_text("cpu_slot = 2\n")
    try:
        helped = [app.run(command, "--help") for command in ("mcp", "logs", "start_training")]
        refused = app.run("jobs")
    finally:
        (app.home / "config.toml").unlink()

    assert [done.returncode for done in helped] == [0, 0, 0]
    assert (refused.returncode, "Did you mean 'cpu_slots'?" in refused.stderr) == (2, True)
