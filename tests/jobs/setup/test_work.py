"""The installation of the jobs' packages as a job: with an installer of our own in the place of run.sh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jobs import installation
from jobs.environments import environment_state as environments
from jobs.errors import UserError
from jobs.runner.worker.context import Cancelled
from jobs.settings import Settings
from jobs.setup import work
from jobs.setup.params import Params
from tests.support.null_context import NullContext


class Context(NullContext):
    """Keeps what is reported; cancels when asked to."""

    def __init__(self, folder: Path, *, cancels: bool = False) -> None:
        self.job_id, self.folder, self.cancels = "setup-1", folder, cancels
        self.settings = replace(Settings.from_environment(), envs=folder / "envs")
        self.reports: list[float] = []

    def progress(self, done: float, *_: object, **__: object) -> None:
        self.reports.append(done)

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
    assert work.plan(Params(), context.settings)["state"] == "ready"


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
