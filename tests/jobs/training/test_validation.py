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
    context = make_context()

    result = work.run(make_params(**BY_HEART, early_stop=Params(manifest="-").early_stop), context)

    best = result.voice_step
    assert result.steps == best + 3 * 3 < 30
    assert result.ended == f"stopped at step {result.steps} of 30: 3 validations were not better; best at {best}"
    loss = f"{result.validation_loss:.4g}"
    shown = [message for message in context.messages if message.startswith("training; validation")]
    assert f"training; validation {loss} at {best}, the best" in shown
    assert shown[-1].endswith(f"at {best + 9}, best {loss} at {best}")


def test_a_run_without_patience_or_validation_trains_all_steps(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path, coded_rows: list[dict[str, Any]]
) -> None:
    whole = work.run(make_params(**BY_HEART), make_context())
    manifest = Path(make_params().manifest)
    rows = [{**row, "split": "train"} for row in coded_rows]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    alone = work.run(make_params(max_steps=2, out_dir=str(tmp_path / "alone")), make_context())

    assert (whole.steps, whole.ended) == (30, f"trained all 30 steps; best at {whole.voice_step}")
    assert (alone.validation_loss, alone.ended) == (None, "trained all 2 steps; no clip is held out")


def test_a_stop_says_which_step_is_kept_and_a_resumed_run_where_it_goes_on(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    params = make_params(epochs=4, save_every_steps=2)
    stopped, resumed = make_context(), make_context()
    stopped.cancel_after_progress = 2 + 3

    with pytest.raises(Cancelled):
        work.run(params, stopped)
    result = work.run(params, resumed)

    kept = int(stopped.messages[-1].split()[2])
    assert stopped.messages[-1] == f"stopped; step {kept} is kept, and the same call continues from it"
    training = [message for message in resumed.messages if message.startswith("training")]
    assert len(training) >= result.steps - kept  # a validation has a line of its own
    assert all(message.startswith(f"training, continued from step {kept}; validation") for message in training)
    assert training[-1].endswith(f"saved at {result.steps - 2}")


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
