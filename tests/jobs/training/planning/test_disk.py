"""The estimate of disk space against real checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.planning.disk import checkpoint_bytes, disk_needed, plan_disk
from jobs.training.planning.model_dims import RELEASED
from jobs.training.run.checkpoint import Checkpoint, save
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.optimizer import make_optimiser
from jobs.training.run.sharding import RunWeights

N_WEIGHTS = 2048 * 512


@pytest.mark.parametrize(
    ("changes", "bytes_each"),
    [
        ({}, 12.0),
        ({"optimizer": "adamw_8bit"}, 6.03),
        ({"optimizer": "paged_adamw_8bit"}, 6.03),
        ({"checkpoint_optimizer": False}, 4.0),
        ({"optimizer": "adamw_8bit", "checkpoint_optimizer": False}, 4.0),
    ],
)
def test_a_checkpoint_has_the_bytes_of_its_weights_and_of_the_optimizers_state(
    changes: dict[str, object], bytes_each: float, tmp_path: Path
) -> None:
    params = Params(manifest="none", **changes)
    layer = torch.nn.Linear(2048, 512, bias=False)
    optimiser = make_optimiser(layer, lr=1e-3, weight_decay=0.0, name=params.optimizer)
    layer(torch.ones(2048)).sum().backward()
    optimiser.step()

    weights = RunWeights(layer, DistributedGroup())
    state = weights.gather_state(optimiser, empty=not params.checkpoint_optimizer)
    folder = save(tmp_path, Checkpoint(1, {}, weights.gather(), state, {}))

    size = (folder / "state.pt").stat().st_size
    assert checkpoint_bytes(N_WEIGHTS, params) == pytest.approx(bytes_each * N_WEIGHTS, rel=0.01)
    assert size == pytest.approx(checkpoint_bytes(N_WEIGHTS, params), rel=0.02)


def test_the_need_is_that_of_kept_checkpoints_one_more_the_best_weights_and_every_export() -> None:
    params = Params(manifest="none", keep_checkpoints=3, export="both", export_base=True)

    assert disk_needed(10.0, 100.0, params) == 4 * 10 * 12 + 2 * 10 * 4 + 3 * 100


def test_8_bit_state_halves_the_need_of_the_large_model_and_the_plan_says_what_a_checkpoint_weighs(
    settings: Settings,
) -> None:
    large = {"manifest": "none", "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base"}
    plain = plan_disk(Params(**large), RELEASED["1.7b"], settings)
    small = plan_disk(Params(**large, optimizer="adamw_8bit"), RELEASED["1.7b"], settings)
    weights = plan_disk(Params(**large, checkpoint_optimizer=False, keep_checkpoints=1), RELEASED["1.7b"], settings)

    assert plain["need_gb"] == pytest.approx(66.8, abs=1.0)
    assert small["need_gb"] == pytest.approx(41.0, abs=1.0)
    assert weights["need_gb"] == pytest.approx(26.5, abs=1.0)
    assert [found["checkpoint_gb"] for found in (plain, small, weights)] == pytest.approx([17.0, 8.6, 5.7], abs=0.2)
