"""Two processes learn what one process with the same global batch learns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from jobs.errors import UserError
from jobs.runner.shim import torchrun
from jobs.settings import PROJECT_ROOT
from jobs.training import work
from jobs.training.params import Params
from jobs.training.run.distributed import DistributedGroup

BOUND_S = 180


def run_in_two(params: Params, folder: Path, *, cancel_after: int) -> None:
    """Run a training in two processes under torchrun, as the job runner does, in two attempts."""
    folder.mkdir()
    given = folder / "params.json"
    given.write_text(params.model_dump_json())
    program = [str(PROJECT_ROOT / "tests" / "support" / "training_process.py")]
    program += [str(given), str(folder), str(cancel_after)]
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
        {
            "method": "full",
            "fsdp": True,
            "ema_decay": 0.5,
            "gradient_checkpointing": True,
            "keep_exports": 2,
            "export_base": True,
        },
        {"method": "lora", "lora_r": 4, "lora_dropout": 0.2, "lora_targets": "all", "predictor_share": 0.5},
    ],
    ids=["full with divided layers", "lora with all random numbers"],
)
def test_two_processes_learn_what_one_with_the_same_global_batch_learns(
    options: dict[str, Any], make_params: Callable[..., Params], make_context: Callable[[], Any], tmp_path: Path
) -> None:
    shared = make_params(
        **options, batch_size=1, gradient_accumulation_steps=1, n_processes=2, validate_every_steps=2,
        out_dir=str(tmp_path / "shared"),
    )  # fmt: skip
    rows = Path(shared.manifest).read_text().splitlines()
    Path(shared.manifest).write_text("\n".join(rows[1:]))  # three clips: the last step of an epoch has one
    alone = shared.model_copy(
        update={"gradient_accumulation_steps": 2, "n_processes": 1, "fsdp": False, "out_dir": str(tmp_path / "alone")}
    )
    work.run(alone, make_context())

    run_in_two(shared, tmp_path / "job in two", cancel_after=3)

    one, two = report(tmp_path / "alone"), report(tmp_path / "shared")
    assert len(one["losses"]["rows"]) == 6
    for kind in ("losses", "validation", "probes"):
        for row, other in zip(one[kind]["rows"], two[kind]["rows"], strict=True):
            assert other == pytest.approx(row, rel=1e-5)
    folders = ["voice"]
    if options["method"] == "full":
        folders += ["voice-ema", "base", "exports/step-000002", "exports/step-000004", "exports/step-000006"]
    for folder in folders:
        weights, others = (load_file(tmp_path / out / folder / "model.safetensors") for out in ("alone", "shared"))
        assert all(abs(others[name] - tensor).max() < 2e-5 for name, tensor in weights.items())


def test_a_process_without_work_makes_the_passes_of_the_others_only_where_layers_are_divided() -> None:
    def shares(*, is_sharded: bool) -> list[list[tuple[int, str, bool]]]:
        return [list(DistributedGroup(rank, 2, "cpu", is_sharded).share("abc")) for rank in (0, 1)]

    first = [(0, "a", True), (2, "c", True)]
    assert shares(is_sharded=False) == [first, [(1, "b", True)]]
    assert shares(is_sharded=True) == [first, [(1, "b", True), (2, "c", False)]]


def test_missing_processes_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(UserError, match="n_processes is 2, but 1 processes run") as refused:
        DistributedGroup.join(2)

    assert refused.value.code == "processes_missing"
