"""The same call of ``setup`` again: the finished job stands for it only while the environment is as it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from jobs.environments.environment_state import LOCKS
from jobs.runner.client.runner import Runner
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings
from jobs.setup.params import Params
from jobs.setup.spec import KIND

DONE = "setup-20260101-000000-0001"


def test_a_finished_set_up_is_made_again_when_its_environment_is_gone_or_of_another_build(tmp_path: Path) -> None:
    settings = replace(
        Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path / "home")}, cwd=tmp_path),
        envs=tmp_path / "envs",
        disk_reserve_bytes=0,
    )
    environment = settings.envs / "ml"
    for name in ("ml", "server"):
        (settings.envs / name / "bin").mkdir(parents=True)
        (settings.envs / name / "bin" / "python").touch()
    (environment / ".installed.lock").write_bytes((LOCKS / "ml.lock").read_bytes())
    settings.home.mkdir(mode=0o700)
    row = {"id": DONE, "kind": "setup", "spec_hash": "", "document": json.dumps({"params": {"environment": "ml"}}),
           "resource": "cpu", "environment": "server", "max_tries": 1, "created_at": 1.0, "state": "succeeded",
           "fingerprint": "f"}  # fmt: skip
    with Store(Home(settings.home)).transaction() as connection:
        Store(Home(settings.home)).insert(connection, row, None, ())

    def same(of: Settings) -> str | None:
        found, _ = Runner(of, starts_supervisor=False).check(KIND, Params(), fingerprint="f")
        return found.job_id if found is not None else None

    assert same(settings) == DONE
    assert same(replace(settings, torch_index="https://mirror.example/cpu")) == (DONE if Gpus().uuids else None)
    (environment / ".installed.lock").unlink()
    assert same(settings) is None
