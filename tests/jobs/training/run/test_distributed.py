"""Two processes learn what one process with the same global batch learns."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.errors import UserError
from jobs.runner.shim import torchrun
from jobs.settings import PROJECT_ROOT
from jobs.training import work
from jobs.training.params import Params
from jobs.training.run.distributed import DistributedGroup, ShardedAdamW, divide_weights, gather_state

BOUND_S = 180


def run_in_two(params: Params, folder: Path) -> None:
    """Run a training in two processes under torchrun, as the job runner does."""
    folder.mkdir()
    given = folder / "params.json"
    given.write_text(params.model_dump_json())
    program = [str(PROJECT_ROOT / "tests" / "support" / "training_process.py"), str(given), str(folder)]
    command = torchrun.build_command(sys.executable, program, n_processes=2, log_dir=str(folder / "torchrun"))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report.json").read_text())
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"method": "full"},
        {"method": "lora", "lora_r": 4, "lora_dropout": 0.2, "lora_targets": "all", "predictor_share": 0.5},
    ],
    ids=["full, with a divided optimizer", "lora with all random numbers"],
)
def test_two_processes_learn_what_one_with_the_same_global_batch_learns(
    options: dict[str, Any], make_params: Callable[..., Params], make_context: Callable[[], Any], tmp_path: Path
) -> None:
    alone = make_params(
        **options, batch_size=1, gradient_accumulation_steps=4, validate_every_steps=2, out_dir=str(tmp_path / "alone")
    )
    work.run(alone, make_context())
    shared = alone.model_copy(
        update={"gradient_accumulation_steps": 2, "n_processes": 2, "out_dir": str(tmp_path / "shared"),
                "shard_optimizer": options["method"] == "full"}
    )  # fmt: skip

    run_in_two(shared, tmp_path / "job in two")

    one, two = report(tmp_path / "alone"), report(tmp_path / "shared")
    assert len(one["losses"]["rows"]) == 3
    for kind in ("losses", "validation", "probes"):
        for row, other in zip(one[kind]["rows"], two[kind]["rows"], strict=True):
            assert other == pytest.approx(row, rel=1e-5)
    weights, others = (load_file(tmp_path / out / "voice" / "model.safetensors") for out in ("alone", "shared"))
    assert all(abs(others[name] - tensor).max() < 2e-5 for name, tensor in weights.items())


def steps_of(optimiser: torch.optim.Optimizer, weights: list[torch.Tensor], steps: range) -> None:
    for step in steps:
        for number, weight in enumerate(weights):
            weight.grad = torch.sin(torch.arange(weight.numel()) * (number + 1.0) + step).view_as(weight)
        optimiser.step()


def fresh_weights() -> list[torch.Tensor]:
    return [torch.nn.Parameter(torch.ones(size)) for size in (7, 3, 5, 2)]


def train_sharded(rank: int, folder: Path) -> None:
    """Two steps, a checkpoint, and a third step of another optimiser that goes on from it."""
    store = torch.distributed.FileStore(str(folder / "store"), 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    group = DistributedGroup(rank, 2)
    weights = fresh_weights()
    first = ShardedAdamW([{"params": weights}], group=group, lr=0.1)
    steps_of(first, weights, range(2))
    state = [gather_state(first)]
    torch.distributed.broadcast_object_list(state)
    second = ShardedAdamW([{"params": weights}], group=group, lr=0.1)
    second.load_state_dict(state[0])
    steps_of(second, weights, range(2, 3))
    if rank == 0:
        torch.save({"state": state[0], "weights": weights, "own": len(second.state)}, folder / "done.pt")
    torch.distributed.barrier()


def test_a_divided_state_is_saved_whole_and_goes_on_as_that_of_one_process(tmp_path: Path) -> None:
    weights = fresh_weights()
    plain = torch.optim.AdamW([{"params": weights}], lr=0.1)
    steps_of(plain, weights, range(2))
    wanted = {number: {**each} for number, each in plain.state_dict()["state"].items()}
    wanted = {n: {name: tensor.clone() for name, tensor in each.items()} for n, each in wanted.items()}
    steps_of(plain, weights, range(2, 3))

    processes = [multiprocessing.get_context("fork").Process(target=train_sharded, args=(n, tmp_path)) for n in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(BOUND_S)

    assert [process.exitcode for process in processes] == [0, 0]
    done = torch.load(tmp_path / "done.pt", weights_only=True)
    assert done["own"] == 2  # of four weights
    assert done["state"]["state"].keys() == wanted.keys()
    for number, each in wanted.items():
        for name, tensor in each.items():
            torch.testing.assert_close(done["state"]["state"][number][name], tensor)
    for weight, other in zip(weights, done["weights"], strict=True):
        torch.testing.assert_close(other, weight)


def test_weights_are_divided_evenly_by_their_sizes() -> None:
    assert divide_weights([5, 1, 4, 3, 2], 2) == [0, 0, 1, 1, 0]
    assert divide_weights([7], 3) == [0]


def test_missing_processes_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(UserError, match="n_processes is 2, but 1 processes run") as refused:
        DistributedGroup.join(2)

    assert refused.value.code == "processes_missing"
