"""Services that a run's losses are written to while it trains: TensorBoard, Weights & Biases, Trackio.

The last two are packages that a user installs. Both work without a network: wandb logs offline without a login, Trackio
into a database. A service that fails is left out, and the run goes on.
"""

from __future__ import annotations

import importlib
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from jobs.files.atomic_io import write_text
from jobs.files.folders import make_folder
from jobs.settings import export_variable

logger = logging.getLogger(__name__)

PROJECT = "tts-train"
FOLDER, RUN_ID = "logs", "run_id"

Load = Callable[[str], Any]


class Log(Protocol):
    """A service that takes numbers of a step."""

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of a step, by their names."""

    def close(self) -> None:
        """Write what is not written yet."""


class LossLogs(AbstractContextManager["LossLogs"]):
    """All services of a run."""

    def __init__(self, logs: Mapping[str, Log]) -> None:
        self._logs = dict(logs)

    def add(self, part: str, columns: Sequence[str], row: Sequence[float]) -> None:
        """Log a row under ``part/column``; the first column is the step."""
        numbers = {f"{part}/{column}": value for column, value in zip(columns[1:], row[1:], strict=True)}
        for name in list(self._logs):
            self._try(name, lambda log: log.add(int(row[0]), numbers))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._logs):
            self._try(name, lambda log: log.close())

    def _try(self, name: str, act: Callable[[Log], None]) -> None:
        try:
            act(self._logs[name])
        except Exception:
            if name == "tensorboard":  # a full disk, which the run has to report
                raise
            logger.exception("%s fails and gets no more losses; the run goes on", name)
            del self._logs[name]


def open_logs(
    names: Sequence[str],
    out: Path,
    first_step: int,
    config: Mapping[str, Any],
    load: Load = importlib.import_module,
) -> LossLogs:
    """Open the services of a run; on a resume they go on, and TensorBoard purges rows of later steps.

    Args:
        config: the run's parameters, which the services show.
        load: imports a package by its name.
    """
    logs: dict[str, Log] = {}
    if "tensorboard" in names:
        logs["tensorboard"] = TensorBoardLog(out / "tensorboard", first_step)
    others = [name for name in ("wandb", "trackio") if name in names]
    if not others:
        return LossLogs(logs)
    folder = make_folder(out / FOLDER)
    run_id = _find_run_id(folder, first_step)
    for name in others:
        kind = WandbLog if name == "wandb" else TrackioLog
        try:
            logs[name] = kind(folder, run_id, config, load)
        except Exception:
            logger.exception("%s cannot be used; the run goes on without it", name)
    return LossLogs(logs)


class TensorBoardLog:
    """Writer of TensorBoard logs."""

    def __init__(self, folder: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(make_folder(folder)), purge_step=first_step + 1)  # type: ignore[no-untyped-call]

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of a step."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close the file."""
        self._writer.close()  # type: ignore[no-untyped-call]


class WandbLog:
    """Run of Weights & Biases; offline without a login, to be sent later by ``wandb sync``."""

    def __init__(self, folder: Path, run_id: str, config: Mapping[str, Any], load: Load) -> None:
        export_variable("WANDB_CACHE_DIR", str(folder / "wandb-cache"))
        self._package = wandb = load("wandb")
        is_online = bool(wandb.login(prompt=False))
        if not is_online:
            logger.info("wandb has no login, so it logs offline: wandb sync %s/wandb/offline-run-*", folder)
        quiet = wandb.Settings(
            console="off", disable_git=True, disable_code=True, x_save_requirements=False, silent=True
        )
        self._run = wandb.init(
            project=PROJECT,
            id=run_id,
            dir=str(folder),
            resume="allow",
            mode=None if is_online else "offline",
            config=dict(config),
            settings=quiet,
        )
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")  # wandb's own step must grow, and a resumed run goes back

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of a step."""
        self._run.log({**numbers, "step": step})

    def close(self) -> None:
        """Send or write the rest, and wait for it: what wandb's own process has not written ends with the job."""
        self._run.finish()
        self._package.teardown()


class TrackioLog:
    """Run of Trackio, in a database of the run's folder."""

    def __init__(self, folder: Path, run_id: str, config: Mapping[str, Any], load: Load) -> None:
        export_variable("TRACKIO_DIR", str(folder / "trackio"))  # read when the package is imported
        trackio = load("trackio")
        self._run = trackio.init(project=PROJECT, name=run_id, resume="allow", embed=False, config=dict(config))
        logger.info("losses in Trackio: TRACKIO_DIR=%s trackio show --project %s", folder / "trackio", PROJECT)

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of a step."""
        self._run.log(dict(numbers), step=step)

    def close(self) -> None:
        """Write the rest."""
        self._run.finish()


def _find_run_id(folder: Path, first_step: int) -> str:
    """Return the id of a run that goes on, or a new one for a run that begins."""
    path = folder / RUN_ID
    if first_step == 0 or not path.is_file():
        write_text(path, uuid.uuid4().hex[:12])
    return path.read_text(encoding="utf-8").strip()[:40]
