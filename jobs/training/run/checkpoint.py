"""Resumable checkpoints: ``<folder>/step-000200/state.pt``, complete or absent; the newest two are kept.

A checkpoint holds the trained weights (not the frozen ones), the state of the optimiser and the losses so far. The
learning rate, the order of the clips and the random numbers of dropout are functions of the step and need no state.
``best-000150.pt`` in the same folder holds the weights of the best validation so far.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jobs.errors import UserError
from jobs.files.atomic_io import open_binary, replacing_folder
from jobs.files.folders import make_folder, remove
from jobs.training.planning.disk import KEPT_CHECKPOINTS

_NAME = re.compile(r"^step-(\d{6,})$")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after ``step`` optimiser steps.

    Attributes:
        step: optimiser steps done; with the run's parameters it defines the position in the data.
        run: identity of the run, so that another run is not resumed from it.
        scaler: state of the loss scaler; empty without one, and in checkpoints of before 2026-11-26.
    """

    step: int
    run: dict[str, Any]
    weights: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    history: dict[str, list[list[float]]]
    scaler: dict[str, Any] = field(default_factory=dict)


def capture(
    *,
    step: int,
    run: dict[str, Any],
    parameters: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    history: dict[str, list[list[float]]],
    scaler: dict[str, Any] | None = None,
) -> Checkpoint:
    """Collect the state of a run. Tensors are shared, so it must be saved before the next step."""
    return Checkpoint(
        step=step,
        run=run,
        weights={name: parameter.detach() for name, parameter in parameters.items()},
        optimiser=optimiser.state_dict(),
        history=history,
        scaler=scaler or {},
    )


def restore(checkpoint: Checkpoint, parameters: Mapping[str, nn.Parameter], optimiser: torch.optim.Optimizer) -> None:
    """Set weights and optimiser to the state of a checkpoint."""
    _copy(checkpoint.weights, parameters)
    optimiser.load_state_dict(checkpoint.optimiser)


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint under a temporary name, flush, rename, and delete all but the newest ``KEPT_CHECKPOINTS``."""
    target = folder / f"step-{checkpoint.step:06d}"
    make_folder(folder)
    with replacing_folder(target) as temporary, (temporary / "state.pt").open("wb") as state:
        torch.save(vars(checkpoint), state)
    for old in _all(folder)[:-KEPT_CHECKPOINTS]:
        remove(old)
    return target


def save_best(folder: Path, step: int, parameters: Mapping[str, nn.Parameter]) -> None:
    """Keep the weights as those of the best validation so far. ``keep_only_best`` deletes the former."""
    make_folder(folder)
    with open_binary(_best(folder, step)) as stream:
        torch.save({name: parameter.detach() for name, parameter in parameters.items()}, stream)


def keep_only_best(folder: Path, step: int) -> None:
    """Delete the best weights of other steps.

    Call it after the checkpoint that names this step is on disk.
    """
    for path in folder.glob("best-*.pt"):
        if path != _best(folder, step):
            remove(path)


def load_best(folder: Path, step: int, parameters: Mapping[str, nn.Parameter]) -> None:
    """Load the weights that were kept for a step. Raises ``FileNotFoundError``."""
    _copy(torch.load(_best(folder, step), map_location="cpu", weights_only=True), parameters)


def newest(folder: Path, run: dict[str, Any]) -> Checkpoint | None:
    """Load the newest checkpoint of a run; None if there is none.

    Raises:
        UserError: ``checkpoint_of_another_run``: it was made with other parameters or data.
    """
    found = _all(folder)
    if not found:
        return None
    state = torch.load(found[-1] / "state.pt", map_location="cpu", weights_only=True)
    checkpoint = Checkpoint(**state)
    differing = sorted(key for key in run if checkpoint.run.get(key) != run[key])
    if differing:
        changes = "; ".join(f"{key} was {checkpoint.run.get(key)!r}, is {run[key]!r}" for key in differing)
        raise UserError(
            "checkpoint_of_another_run",
            f"{folder} holds a checkpoint of step {checkpoint.step} of another run: {changes}.",
            "Give another out_dir, the former parameters, or resume=false to start over (deletes the checkpoint).",
        )
    return checkpoint


def discard(folder: Path) -> None:
    """Delete all checkpoints, also partial ones that a kill has left."""
    remove(folder)


def _best(folder: Path, step: int) -> Path:
    return folder / f"best-{step:06d}.pt"


def _copy(weights: Mapping[str, torch.Tensor], parameters: Mapping[str, nn.Parameter]) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def _all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.match(path.name)), key=lambda path: int(path.name[5:]))
