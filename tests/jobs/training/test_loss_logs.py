"""Services that losses are written to, with small packages in the place of those that are not installed."""

from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from jobs.errors import UserError
from jobs.training.log_packages import check_installed
from jobs.training.loss_logs import open_logs
from jobs.training.params import Params, check

COLUMNS = ("step", "loss", "lr")


class Service:
    """A package like wandb and trackio, that keeps what it is given."""

    def __init__(self, *, has_login: bool = False, breaks_at: int | None = None) -> None:
        self.inits: list[dict[str, Any]] = []
        self.rows: list[dict[str, float]] = []
        self.n_finished = 0
        self.n_torn_down = 0
        self.Settings = SimpleNamespace
        self._has_login, self._breaks_at = has_login, breaks_at

    def login(self, *, prompt: bool) -> bool:
        return self._has_login and not prompt

    def init(self, **given: Any) -> Service:
        self.inits.append(given)
        return self

    def define_metric(self, name: str, step_metric: str = "") -> None:
        assert (name, step_metric) in {("step", ""), ("*", "step")}

    def log(self, numbers: dict[str, float], step: int | None = None) -> None:
        if len(self.rows) == self._breaks_at:
            raise ConnectionError("no network")
        self.rows.append(numbers if step is None else {**numbers, "step": step})

    def finish(self) -> None:
        self.n_finished += 1

    def teardown(self) -> None:
        assert self.n_finished == self.n_torn_down + 1
        self.n_torn_down += 1


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_CACHE_DIR", "TRACKIO_DIR"):
        monkeypatch.setenv(name, "")


def write(names: list[str], out: Path, services: dict[str, Any], first_step: int = 0) -> None:
    with open_logs(names, out, first_step, {"lr": 1e-5}, services.__getitem__) as logs:
        for step in (first_step + 1, first_step + 2):
            logs.add("train", COLUMNS, [step, 1 / step, 1e-5])


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_every_row_reaches_the_service_and_a_resumed_run_goes_on_under_its_id(name: str, tmp_path: Path) -> None:
    service = Service()

    for first_step in (0, 2, 0):
        write([name], tmp_path, {name: service}, first_step)

    wanted = [{"train/loss": 1.0, "train/lr": 1e-5, "step": 1}, {"train/loss": 0.5, "train/lr": 1e-5, "step": 2}]
    assert service.rows[:2] == wanted
    assert [row["step"] for row in service.rows] == [1, 2, 3, 4, 1, 2]
    begun, resumed, anew = (given["id" if name == "wandb" else "name"] for given in service.inits)
    assert begun == resumed != anew
    assert service.inits[0]["config"] == {"lr": 1e-5}
    assert service.n_finished == 3
    assert service.n_torn_down == (3 if name == "wandb" else 0)  # else its own process writes later, or never
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize(("has_login", "mode"), [(True, None), (False, "offline")])
def test_wandb_is_offline_without_a_login(has_login: bool, mode: str | None, tmp_path: Path) -> None:
    service = Service(has_login=has_login)

    write(["wandb"], tmp_path, {"wandb": service})

    assert (service.inits[0]["mode"], service.inits[0]["dir"]) == (mode, str(tmp_path / "logs"))
    assert os.environ["WANDB_CACHE_DIR"] == str(tmp_path / "logs" / "wandb-cache")


def test_a_service_that_fails_is_left_out_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failing, good = Service(breaks_at=1), Service()

    with caplog.at_level(logging.ERROR):
        write(["tensorboard", "wandb", "trackio"], tmp_path, {"wandb": failing, "trackio": good})
        write(["wandb", "trackio"], tmp_path, {"trackio": good}, 2)  # wandb cannot be imported

    assert (len(failing.rows), len(good.rows)) == (1, 4)
    assert "wandb fails and gets no more losses" in caplog.text
    assert "wandb cannot be used" in caplog.text
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(point.step, point.value) for point in read.Scalars("train/loss")] == [(1, 1.0), (2, 0.5)]


def test_a_package_that_is_not_installed_is_named_before_anything_starts(tmp_path: Path) -> None:
    python = tmp_path / "ml" / "bin" / "python"
    packages = tmp_path / "ml" / "lib" / "python3.11" / "site-packages"
    (packages / "trackio").mkdir(parents=True)

    check_installed(["trackio"], python)
    with pytest.raises(UserError, match="lacks") as refused:
        check_installed(["trackio", "wandb"], python)

    assert refused.value.code == "logger_missing"
    assert f"uv pip install --python {python} wandb." in str(refused.value.hint)


def test_a_call_with_a_missing_package_is_refused_without_reading_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ml" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    monkeypatch.setenv("TTS_TRAIN_ENVS", str(tmp_path))

    with pytest.raises(UserError, match="wandb"):
        check(Params(manifest="/not/there.jsonl", log_to=["tensorboard", "wandb"]))


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_the_real_package_logs_without_a_network(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(name) is None:  # not imported: trackio reads its folder then
        pytest.skip(f"{name} is an optional package of users")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    with open_logs([name], tmp_path, 0, {"lr": 1e-5}) as logs:
        logs.add("train", COLUMNS, [1, 0.5, 1e-5])

    pattern = {"wandb": "logs/wandb/offline-run-*/run-*.wandb", "trackio": "logs/trackio/*.db*"}[name]
    assert b"train/loss" in b"".join(written.read_bytes() for written in tmp_path.glob(pattern))
