"""Validation: never learnt, decides which weights become the voice and when a run ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.runner.worker.context import Cancelled
from jobs.training import work
from jobs.training.params import Params, Result

MakeParams = Callable[..., Params]
MakeContext = Callable[[], Any]
# It learns four random clips by heart, and with that unlearns the fifth: the best validation comes early.
BY_HEART = {"epochs": 30, "batch_size": 4, "lr": 5e-3, "validate_every_steps": 3, "lr_schedule": "constant"}


def report(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(result.voice).parent / "report.json").read_text())
    return found


def test_the_voice_has_the_best_weights_and_both_can_be_had(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    both = work.run(make_params(**BY_HEART, export="both"), make_context())
    last = work.run(make_params(**BY_HEART, export="last", out_dir=str(tmp_path / "last")), make_context())
    until_best = make_params(**{**BY_HEART, "max_steps": both.voice_step}, out_dir=str(tmp_path / "short"))
    short = work.run(until_best, make_context())

    validations = report(both)["validation"]["rows"]
    best = min(validations, key=lambda row: row[1])
    assert 0 < both.voice_step == best[0] < 30
    assert both.validation_loss == best[1]
    assert last.voice_step == 30
    assert both.voice_last is not None
    for one, other in ((both.voice_last, last.voice), (both.voice, short.voice)):
        weights, others = load_file(Path(one) / "model.safetensors"), load_file(Path(other) / "model.safetensors")
        assert all(torch.equal(tensor, others[name]) for name, tensor in weights.items())
    card = json.loads((Path(both.voice) / "tts_train.json").read_text())
    assert card["steps"] == both.voice_step


def test_a_run_stops_early_when_validation_gets_no_better(make_params: MakeParams, make_context: MakeContext) -> None:
    result = work.run(make_params(**BY_HEART, early_stop=2), make_context())

    assert result.steps == result.voice_step + 2 * 3 < 30


def test_every_validation_probes_both_alignments_from_the_base_on(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    result = work.run(make_params(**BY_HEART), make_context())

    probes = report(result)["probes"]
    validations = report(result)["validation"]["rows"]
    assert probes["columns"] == ["step", "talker_next", "talker_after", "predictor_own", "predictor_next"]
    assert [row[0] for row in probes["rows"]] == [0, *range(3, 31, 3)]
    for probe, validation in zip(probes["rows"][1:], validations, strict=True):
        assert probe[3] != probe[4]
        assert abs(probe[1] - validation[2]) < 1  # the talker's loss also counts the ends


def test_a_stop_in_the_middle_changes_neither_the_best_nor_the_end(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    straight = work.run(make_params(**BY_HEART), make_context())
    params = make_params(**BY_HEART, out_dir=str(tmp_path / "broken"), save_every_steps=4)
    for steps in (straight.voice_step + 1, 5):
        context = make_context()
        context.cancel_after_progress = 2 + steps
        with pytest.raises(Cancelled):
            work.run(params, context)

    resumed = work.run(params, make_context())

    assert (resumed.voice_step, resumed.validation_loss) == (straight.voice_step, straight.validation_loss)
    weights = load_file(Path(straight.voice) / "model.safetensors")
    others = load_file(Path(resumed.voice) / "model.safetensors")
    assert all(torch.equal(tensor, others[name]) for name, tensor in weights.items())
