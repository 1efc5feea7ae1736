"""The installation of the jobs' packages as a job: with an installer of our own in the place of run.sh."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import installation
from jobs.environments import environment_state as environments
from jobs.errors import UserError
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.worker.context import Cancelled
from jobs.settings import Settings
from jobs.setup import work
from jobs.setup.params import Params
from jobs.setup.spec import KIND
from tests.support.null_context import NullContext


class Context(NullContext):
    """Keeps what is reported; cancels when asked to."""

    def __init__(self, folder: Path, *, cancels: bool = False) -> None:
        self.job_id, self.folder, self.cancels = "setup-1", folder, cancels
        self.opens: list[str] = []
        self.settings = replace(Settings.from_environment(), envs=folder / "envs", uv_cache=folder / "cache")
        self.reports: list[tuple[float, str]] = []

    def progress(self, done: float, total: float | None = None, message: str = "", **_: float) -> None:
        if (done, message) not in self.reports[-1:]:
            self.reports.append((done, message))
        if message in self.opens:
            self.opens.remove(message)
            (self.folder / "gate").write_text("")  # a pipe that the installer waits at

    def raise_if_cancelled(self) -> None:
        if self.cancels:
            raise Cancelled


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run.sh that writes 3 MB, then the interpreter, then the lock; it fails when told to."""
    folder = tmp_path / "program"
    folder.mkdir()
    lock = environments.LOCKS / "ml.lock"
    (folder / "run.sh").write_text(
        'set -e\nenv="$TTS_TRAIN_ENVS/$2"\nmkdir -p "$env/bin"\nhead -c 3000000 /dev/zero > "$env/data"\n'
        f'[ ! -e "{folder}/slow" ] || sleep 60\n[ ! -e "{folder}/fails" ] || exit 1\n'
        f'touch "$env/bin/python"\ncp "{lock}" "$env/.installed.lock"\n'
    )
    monkeypatch.setattr(installation, "FILES", folder)
    monkeypatch.setattr(work, "LOOK_S", 0.05)


@pytest.mark.usefixtures("install")
def test_packages_are_installed_once(tmp_path: Path) -> None:
    context = Context(tmp_path)

    first, second = (work.run(Params(), context) for _ in range(2))

    assert (first.was_ready, second.was_ready) == (False, True)
    assert first.disk_mb == 3
    assert Path(first.folder) == tmp_path / "envs" / "ml"
    assert first.build == "cuda"
    assert work.plan(Params(), context.settings)["state"] == "ready"


@pytest.mark.usefixtures("install")
def test_progress_says_megabytes_and_packages_and_goes_on_after_an_interruption(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    cache, environment = tmp_path / "cache", tmp_path / "envs" / "ml"
    (cache / "archive-v0" / "older").mkdir(parents=True)
    (cache / "archive-v0" / "older" / "file").write_bytes(bytes(9_000_000))
    os.utime(cache / "archive-v0" / "older", (1, 1))
    environment.mkdir(parents=True)
    (environment / ".unfinished").touch()
    (cache / "archive-v0" / "before").mkdir()
    (cache / "archive-v0" / "before" / "file").write_bytes(bytes(2_000_000))
    script = tmp_path / "program" / "run.sh"
    script.write_text(
        f'exec 2>&1\ncache="{cache}"\nenv="$TTS_TRAIN_ENVS/$2"\ngate() {{ cat "{tmp_path}/gate"; }}\n'
        'mkdir "$cache/.tmp1"\nhead -c 1500000 /dev/zero > "$cache/.tmp1/part"\n'
        'echo "Resolved 3 packages in 9ms"\ngate\n'
        'mv "$cache/.tmp1" "$cache/archive-v0/new"\ngate\necho "Prepared 3 packages in 1s"\ngate\n'
        'echo "Installed 3 packages in 1ms"\necho " + new==1"\n' + script.read_text()
    )
    context = Context(tmp_path)
    context.opens = [f"MB, {doing} 3 packages" for doing in ("downloading: 1 of", "downloading: 2 of", "installing")]

    work.run(Params(), context)

    assert context.reports[0] in [(2, "MB, resolving packages"), (3, "MB, resolving packages")]  # 2 from before
    assert context.reports[-1] in [(3, "MB, compiling 3 packages"), (3, "MB, installing 3 packages")]
    assert {(3, message) for message in (*context.opens, "MB, downloading: 1 of 3 packages")} <= set(context.reports)
    assert [done for done, _ in context.reports] == sorted(done for done, _ in context.reports)


@pytest.mark.usefixtures("install")
def test_messages_go_to_the_log_without_the_list_of_packages(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "program" / "run.sh"
    script.write_text('echo "Resolved 1 package in 9ms" >&2\necho " + torch==2.8.0" >&2\n' + script.read_text())

    work.run(Params(), Context(tmp_path))

    assert capfd.readouterr().err == "Resolved 1 package in 9ms\n"


@pytest.mark.usefixtures("install")
def test_a_disk_that_is_too_small_is_refused_before_anything_runs(tmp_path: Path) -> None:
    context = Context(tmp_path)
    context.settings = replace(context.settings, disk_reserve_bytes=10**18)

    with pytest.raises(UserError) as refused:
        work.run(Params(), context)
    with pytest.raises(UserError) as planned:
        work.plan(Params(), context.settings)

    assert [error.value.code for error in (refused, planned)] == ["disk_full", "disk_full"]
    assert "needs 8800 MB more" in str(refused.value)
    assert not (tmp_path / "envs").exists()


@pytest.mark.usefixtures("install")
def test_a_failure_says_so_and_a_cancel_ends_the_installer(tmp_path: Path) -> None:
    (tmp_path / "program" / "fails").touch()
    with pytest.raises(UserError) as refused:
        work.run(Params(), Context(tmp_path))
    (tmp_path / "program" / "slow").touch()

    with pytest.raises(Cancelled):
        work.run(Params(), Context(tmp_path, cancels=True))

    assert refused.value.code == "setup_failed"
    assert work.plan(Params(), Context(tmp_path).settings)["disk_mb"] == 8800


def test_the_estimate_of_a_dry_run_is_of_the_build_that_is_taken(tmp_path: Path) -> None:
    locked = Context(tmp_path).settings
    for_cpu = replace(locked, torch_index="/wheels")

    amounts = [KIND.cost.measure({"environment": "ml"}, work.plan(Params(), found)) for found in (locked, for_cpu)]

    assert amounts == [8800, 8800 if Gpus().uuids else 3900]
