"""Checkpoints are complete or absent, few, and of one run."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import torch
from bitsandbytes.optim import AdamW8bit

from jobs.errors import UserError
from jobs.files.own_files import walk_files
from jobs.training.run.checkpoint import (
    Checkpoint,
    discard,
    keep_only_best,
    load_best,
    newest,
    restore,
    save,
    save_best,
)
from jobs.training.run.checkpoint_checks import own_optimiser_state
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.sharding import RunWeights
from tests.support.hostile.checkpoints import HOSTILE_CHECKPOINTS, hostile_optimiser_states, make_hostile_checkpoint

RUN = {"lr": 1e-3, "seed": 0}


def capture(layer: torch.nn.Module, optimiser: torch.optim.Optimizer, step: int = 1, empty: bool = False) -> Checkpoint:
    weights = RunWeights(layer, DistributedGroup())
    history = {"steps": [[1, 2.0, 1.0, 1.0, 0.1, 0.5]], "validations": []}
    return Checkpoint(step, RUN, weights.gather(), weights.gather_state(optimiser, empty=empty), history)


def checkpoint_of(step: int) -> Checkpoint:
    layer = torch.nn.Linear(2, 2)
    return capture(layer, torch.optim.AdamW(layer.parameters()), step)


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 1_000_000):
        save(tmp_path, checkpoint_of(step))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000010", "step-1000000"]
    found = newest(tmp_path, RUN)
    assert found is not None
    assert found.step == 1_000_000


def test_a_half_written_checkpoint_is_not_seen(tmp_path: Path) -> None:
    save(tmp_path, checkpoint_of(5))
    half = tmp_path / ".step-000010.0123456789abcdef.tts-train-new"
    half.mkdir()
    (half / "state.pt").write_bytes(b"half")

    found = newest(tmp_path, RUN)

    assert found is not None
    assert found.step == 5


def test_what_a_kill_left_of_checkpoints_is_deleted(tmp_path: Path) -> None:
    """A run that goes on need not come to the step of the file that was cut off."""
    (tmp_path / ".step-000007.0123456789abcdef.tts-train-new").mkdir()
    (tmp_path / ".best-000007.pt.0123456789abcdef.tts-train-new").write_bytes(b"half")
    save_best(tmp_path, 10, dict(torch.nn.Linear(2, 2).named_parameters()))

    save(tmp_path, checkpoint_of(10))
    keep_only_best(tmp_path, 10)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-000010.pt", "step-000010"]


def test_what_a_person_keeps_beside_the_checkpoints_stays(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    save(folder, checkpoint_of(5))
    save_best(folder, 5, dict(torch.nn.Linear(2, 2).named_parameters()))
    copies = ["best-of-monday.pt", "mine/best-000005.pt", "mine/state.pt", "step-000005/mine/state.pt"]
    for name in copies:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"mine")

    save(folder, checkpoint_of(6), keep=1)
    keep_only_best(folder, 6)
    discard(folder)

    assert sorted(path.relative_to(folder).as_posix() for path in walk_files(folder)) == copies
    shutil.rmtree(folder)
    save(folder, checkpoint_of(5))
    discard(folder)
    assert not folder.exists()
    discard(folder)


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
    save(tmp_path, capture(layer, optimiser))
    optimiser.step()

    found = newest(tmp_path, RUN)
    assert found is not None
    restore(found, parameters, optimiser)

    assert all(torch.equal(parameters[name], tensor) for name, tensor in saved.items())
    assert int(optimiser.state_dict()["state"][0]["step"]) == 1


def test_a_checkpoint_of_weights_only_starts_the_optimiser_afresh(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 3)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.ones(3)).sum().backward()
    optimiser.step()
    parameters = dict(layer.named_parameters())
    weight = layer.weight.detach().clone()
    save(tmp_path, capture(layer, optimiser, empty=True))
    fresh = torch.optim.AdamW(layer.parameters(), lr=0.1)
    with torch.no_grad():
        layer.weight.zero_()

    found = newest(tmp_path, RUN)
    assert found is not None
    restore(found, parameters, fresh)

    assert torch.equal(layer.weight, weight)
    assert fresh.state_dict()["state"] == {}


def test_as_many_checkpoints_are_kept_as_asked_for(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        save(tmp_path, checkpoint_of(step), keep=3)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000010", "step-000015", "step-000020"]


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


@pytest.mark.parametrize("kind", HOSTILE_CHECKPOINTS)
def test_a_checkpoint_of_a_stranger_is_refused_and_runs_nothing(kind: str, tmp_path: Path) -> None:
    folder = make_hostile_checkpoint(kind, tmp_path / "checkpoints")

    with pytest.raises(UserError) as refused:
        newest(folder, RUN)

    assert refused.value.code == "checkpoint_broken"
    assert not (folder / "step-000005" / "trace").exists()


@pytest.mark.parametrize(
    "weights",
    [
        {},
        [],
        {"weight": torch.zeros(2, 2)},
        {"weight": torch.zeros(1, 4), "bias": torch.zeros(2)},
        {"weight": torch.zeros(2, 2), "bias": [0.0, 0.0]},
        {"weight": torch.zeros(2, 2).to_sparse(), "bias": torch.zeros(2)},
        {"weight": torch.zeros(2, 2, dtype=torch.int8), "bias": torch.zeros(2)},
    ],
)
def test_weights_of_another_model_are_refused_and_change_nothing(weights: object, tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    parameters = dict(layer.named_parameters())
    before = layer.weight.detach().clone()
    broken = Checkpoint(step=5, run=RUN, weights=weights, optimiser={}, history={})
    torch.save(weights, tmp_path / "best-000005.pt")

    for load in (
        lambda: restore(broken, parameters, torch.optim.AdamW(layer.parameters())),
        lambda: load_best(tmp_path, 5, parameters),
    ):
        with pytest.raises(UserError) as refused:
            load()
        assert refused.value.code == "checkpoint_broken"

    assert torch.equal(layer.weight, before)


def test_a_run_of_a_stranger_is_not_written_out_whole(tmp_path: Path) -> None:
    """1 KB of nested tuples is a text without end."""
    run: object = 1
    for _ in range(24):
        run = (run, run)
    whole = checkpoint_of(5)
    save(tmp_path, Checkpoint(5, {**RUN, next(iter(RUN)): run}, whole.weights, whole.optimiser, {}))
    began = time.process_time()

    with pytest.raises(UserError) as refused:
        newest(tmp_path, RUN)

    assert refused.value.code == "checkpoint_of_another_run"
    assert len(refused.value.message) < 2000
    assert time.process_time() - began < 1


@pytest.mark.parametrize("kind", hostile_optimiser_states())
def test_a_state_that_does_not_fit_the_optimiser_is_refused(kind: str) -> None:
    layer = torch.nn.Linear(2, 2)
    parameters = dict(layer.named_parameters())
    whole = checkpoint_of(5)
    broken = Checkpoint(5, RUN, whole.weights, hostile_optimiser_states()[kind], {})

    with pytest.raises(UserError) as refused:
        restore(broken, parameters, torch.optim.AdamW(layer.parameters()))

    assert refused.value.code == "checkpoint_broken"


@pytest.mark.parametrize("n_weights", [64, 128])  # of 8 bits from 4,096 numbers on
def test_states_of_bitsandbytes_are_taken_in_their_own_formats_only(n_weights: int) -> None:
    """Its kernels believe the format of the first moment."""
    layer = torch.nn.Linear(n_weights, 32, bias=False)
    optimiser = AdamW8bit(layer.parameters())
    layer(torch.ones(1, n_weights)).sum().backward()
    optimiser.step()
    saved = optimiser.state_dict()
    entries = saved["state"][0]
    wrapped = entries["__bnb_optimizer_quant_state__"]
    other = torch.uint8 if wrapped["state1"].dtype == torch.float32 else torch.float32

    own = own_optimiser_state(saved, optimiser)
    assert own["state"][0]["__bnb_optimizer_quant_state__"]["state1"].dtype != other
    for name in ("state1", "state2"):
        mixed = {**wrapped, name: wrapped[name].to(other)}
        with pytest.raises(ValueError, match=r"optimizer (is another one's|does not fit)|does not fit"):
            own_optimiser_state({"state": {0: {**entries, "__bnb_optimizer_quant_state__": mixed}}}, optimiser)
    with pytest.raises(ValueError, match="unknown"):
        own_optimiser_state({"state": {0: {**entries, "state1": torch.zeros(1)}}}, optimiser)


def test_settings_of_the_optimiser_do_not_come_from_the_checkpoint() -> None:
    layer = torch.nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.5)
    whole = checkpoint_of(5)
    whole.optimiser["param_groups"][0].update(weight_decay=1e9, maximize=True)

    restore(whole, dict(layer.named_parameters()), optimiser)

    assert (optimiser.param_groups[0]["weight_decay"], optimiser.param_groups[0]["maximize"]) == (0.5, False)
