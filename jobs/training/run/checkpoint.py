"""Resumable checkpoints: ``<folder>/step-000200/state.pt``, complete or absent; the newest few are kept.

A checkpoint holds the trained weights (not the frozen ones), their average if there is one, the state of the optimiser
(unless it is left out, then a resumed run starts it afresh) and the losses so far. The learning rate, the order of the
clips and the random numbers of dropout are functions of the step and need no state.
``best-000150.pt`` in the same folder holds the weights of the best validation so far.
"""

import os
import re
import reprlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jobs.errors import UserError
from jobs.files.atomic_io import open_binary, replacing_folder
from jobs.files.folders import make_folder, remove
from jobs.files.own_files import remove_own
from jobs.files.reading import resolve_inside
from jobs.model_folders.torch_archive import load_archive
from jobs.training.extension import STATE, STATE_FILES
from jobs.training.loss_history import LossHistory
from jobs.training.run.checkpoint_checks import check_scaler, check_weights, own_optimiser_state
from jobs.training.run.weight_average import WeightAverage

ADDED = {"scaler", "ema"}
"""Fields that older checkpoints lack."""

_NAME = re.compile(r"^step-(\d{6,})$")
_STATE = re.compile(re.escape(STATE))


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after ``step`` optimiser steps.

    Attributes:
        step: optimiser steps done; with the run's parameters it defines the position in the data.
        run: identity of the run, so that another run is not resumed from it.
        scaler: state of the loss scaler; empty without one, and in checkpoints of before 2026-11-26.
        ema: averaged weights; empty without them.
    """

    step: int
    run: dict[str, Any]
    weights: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    history: dict[str, list[list[float]]]
    scaler: dict[str, Any] = field(default_factory=dict)
    ema: dict[str, torch.Tensor] = field(default_factory=dict)


def restore(
    checkpoint: Checkpoint,
    parameters: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    average: WeightAverage | None = None,
) -> None:
    """Set weights and optimiser to the state of a checkpoint; settings of the optimiser stay its own.

    Raises:
        UserError: ``checkpoint_broken``: it does not fit them.
    """
    try:
        check_weights(checkpoint.weights, parameters)
        if average is not None:
            check_weights(checkpoint.ema, parameters)
        state = own_optimiser_state(checkpoint.optimiser, optimiser)
    except ValueError as error:
        raise _broken(f"The checkpoint of step {checkpoint.step}", str(error)) from error
    _copy(checkpoint.weights, parameters)
    if average is not None:
        average.load(checkpoint.ema)
    optimiser.load_state_dict(state)


def save(folder: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write a checkpoint under a temporary name, flush, rename, and delete all but the newest ``keep``."""
    target = folder / f"step-{checkpoint.step:06d}"
    make_folder(folder)
    with replacing_folder(target, _STATE) as temporary, (temporary / STATE).open("wb") as state:
        torch.save(vars(checkpoint), state)
    for old in _all(folder)[:-keep]:
        remove_own(old, _STATE)
    return target


def save_best(folder: Path, step: int, weights: Mapping[str, torch.Tensor]) -> None:
    """Keep the weights as those of the best validation so far. ``keep_only_best`` deletes the former."""
    make_folder(folder)
    with open_binary(_best(folder, step)) as stream:
        torch.save({name: tensor.detach() for name, tensor in weights.items()}, stream)


def keep_only_best(folder: Path, step: int) -> None:
    """Delete the best weights of other steps.

    Call it after the checkpoint that names this step is on disk.
    """
    for path in list(folder.glob("best-*.pt")):
        if STATE_FILES.fullmatch(path.name) and path != _best(folder, step):
            remove(path)


def load_best(
    folder: Path,
    step: int,
    parameters: Mapping[str, nn.Parameter],
    take: Callable[[Any], Any] = lambda weights: weights,
) -> None:
    """Load the weights that were kept for a step.

    Args:
        take: returns this process's parts of whole weights.

    Raises:
        FileNotFoundError: there are none.
        UserError: ``checkpoint_broken``: they do not fit.
    """
    path = _inside(folder, _best(folder, step))
    try:
        weights = take(load_archive(path))
        check_weights(weights, parameters)
    except ValueError as error:
        raise _broken(str(path), str(error)) from error
    _copy(weights, parameters)


def keep_newest(folder: Path) -> None:
    """Delete all but the newest checkpoint; the best weights stay."""
    for old in _all(folder)[:-1]:
        remove_own(old, _STATE)


def newest(folder: Path, run: dict[str, Any], may_differ: Collection[str] = ()) -> Checkpoint | None:
    """Load the newest checkpoint of a run; None if there is none.

    Args:
        may_differ: parts of the identity that may have changed since.

    Raises:
        UserError: ``checkpoint_of_another_run``: it was made with other parameters or data; ``checkpoint_broken``.
    """
    found = _all(folder)
    if not found:
        return None
    path = _inside(folder, found[-1] / STATE)
    try:
        checkpoint = _parse(load_archive(path), step=int(found[-1].name[5:]))
    except (OSError, ValueError) as error:
        raise _broken(str(path), str(error)) from error
    differing = sorted(key for key in run if key not in may_differ and checkpoint.run.get(key) != run[key])
    if differing:
        changes = "; ".join(f"{key} was {reprlib.repr(checkpoint.run.get(key))}, is {run[key]!r}" for key in differing)
        raise UserError(
            "checkpoint_of_another_run",
            f"{folder} holds a checkpoint of step {checkpoint.step} of another run: {changes}.",
            "Give another out_dir, the former parameters, or resume=false to start over (deletes the checkpoint).",
        )
    return checkpoint


def discard(folder: Path) -> None:
    """Delete all checkpoints and best weights; what else lies there, and then the folder, stays."""
    remove_own(folder, STATE_FILES)


def _parse(state: Any, step: int) -> Checkpoint:
    """Check what a file holds; weights and optimizer are compared with the model by ``restore``.

    Raises:
        ValueError: it is no checkpoint of this step.
    """
    names = {each.name for each in fields(Checkpoint)}
    if not isinstance(state, dict) or not names - ADDED <= set(state) <= names:
        raise ValueError("it is no checkpoint")
    if type(state["step"]) is not int or state["step"] != step or not isinstance(state["run"], dict):
        raise ValueError("its step or its run is missing")
    if not isinstance(state["history"], dict):
        raise ValueError("it holds no losses")
    LossHistory.from_rows(state["history"])
    check_scaler(state.get("scaler", {}))
    if not isinstance(state.get("ema", {}), dict):
        raise ValueError("it holds no averaged weights")
    return Checkpoint(**state)


def _inside(folder: Path, path: Path) -> Path:
    """Return the real path of a file of the folder.

    Raises:
        UserError: ``checkpoint_broken``: a link leads out of the folder.
    """
    real = resolve_inside(folder, str(path.relative_to(folder)))
    if real is None:
        raise _broken(str(path), "it is a link out of its folder")
    return real


def _broken(what: str, why: str) -> UserError:
    return UserError(
        "checkpoint_broken",
        f"{what} cannot be used: {why}.",
        "Give another out_dir, or resume=false to start over (deletes the checkpoint).",
    )


def _best(folder: Path, step: int) -> Path:
    return folder / f"best-{step:06d}.pt"


def _copy(weights: Mapping[str, torch.Tensor], parameters: Mapping[str, nn.Parameter]) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def _all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if _NAME.match(path.name) and os.path.lexists(path / STATE))
    return sorted(found, key=lambda path: int(path.name[5:]))
