"""Checkpoints are complete or absent, few, and of one run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from jobs.errors import UserError
from jobs.training.run.checkpoint import (
    Checkpoint,
    capture,
    keep_only_best,
    load_best,
    newest,
    restore,
    save,
    save_best,
)

RUN = {"lr": 1e-3, "seed": 0}


def checkpoint_of(step: int) -> Checkpoint:
    layer = torch.nn.Linear(2, 2)
    return capture(
        step=step,
        run=RUN,
        parameters=dict(layer.named_parameters()),
        optimiser=torch.optim.AdamW(layer.parameters()),
        history={"steps": [[1.0, 2.0]], "validations": []},
    )


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 1_000_000):
        save(tmp_path, checkpoint_of(step))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000010", "step-1000000"]
    found = newest(tmp_path, RUN)
    assert found is not None
    assert found.step == 1_000_000


def test_a_half_written_checkpoint_is_not_seen(tmp_path: Path) -> None:
    save(tmp_path, checkpoint_of(5))
    half = tmp_path / ".step-000010.0123456789abcdef.tmp"
    half.mkdir()
    (half / "state.pt").write_bytes(b"half")

    found = newest(tmp_path, RUN)

    assert found is not None
    assert found.step == 5


def test_what_a_kill_left_of_checkpoints_is_deleted(tmp_path: Path) -> None:
    """A run that goes on need not come to the step of the file that was cut off."""
    (tmp_path / ".step-000007.0123456789abcdef.tmp").mkdir()
    (tmp_path / ".best-000007.pt.0123456789abcdef.tmp").write_bytes(b"half")
    save_best(tmp_path, 10, dict(torch.nn.Linear(2, 2).named_parameters()))

    save(tmp_path, checkpoint_of(10))
    keep_only_best(tmp_path, 10)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-000010.pt", "step-000010"]


def test_a_checkpoint_of_another_run_is_refused_by_what_differs(tmp_path: Path) -> None:
    save(tmp_path, checkpoint_of(5))

    with pytest.raises(UserError, match=r"lr was 0\.001, is 0\.002") as refused:
        newest(tmp_path, {**RUN, "lr": 2e-3})

    assert refused.value.code == "checkpoint_of_another_run"
    assert "resume=false" in refused.value.hint


def test_weights_and_optimiser_come_back(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 3)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.ones(3)).sum().backward()
    optimiser.step()
    parameters = dict(layer.named_parameters())
    saved = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    save(tmp_path, capture(step=1, run=RUN, parameters=parameters, optimiser=optimiser, history={}))
    optimiser.step()

    found = newest(tmp_path, RUN)
    assert found is not None
    restore(found, parameters, optimiser)

    assert all(torch.equal(parameters[name], tensor) for name, tensor in saved.items())
    assert int(optimiser.state_dict()["state"][0]["step"]) == 1


def test_the_best_weights_are_kept_until_a_checkpoint_knows_better_ones(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    parameters = dict(layer.named_parameters())
    first = layer.weight.detach().clone()
    save_best(tmp_path, 5, parameters)
    with torch.no_grad():
        layer.weight.add_(1)
    save_best(tmp_path, 10, parameters)

    load_best(tmp_path, 5, parameters)
    assert torch.equal(layer.weight, first)

    keep_only_best(tmp_path, 10)
    load_best(tmp_path, 10, parameters)
    assert torch.equal(layer.weight, first + 1)
    with pytest.raises(FileNotFoundError):
        load_best(tmp_path, 5, parameters)
