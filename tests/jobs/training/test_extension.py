"""More epochs for a run, and voices kept on its way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from jobs.errors import UserError
from jobs.runner.call_text import argument_text
from jobs.runner.worker.context import Cancelled
from jobs.training import work
from jobs.training.extension import adopt_state
from jobs.training.params import Params, check
from jobs.training.planning.dry_run import plan
from jobs.training.run.optimizer import learning_rate

MakeParams = Callable[..., Params]
MakeContext = Callable[[], Any]
LAST = {"export": "last", "lr_schedule": "constant", "validate_every_steps": 2, "save_every_steps": 3}


def weights(voice: str) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(Path(voice) / "model.safetensors")
    return found


def are_equal(one: str, other: str) -> bool:
    others = weights(other)
    return all(torch.equal(tensor, others[name]) for name, tensor in weights(one).items())


def read_losses(voice: str) -> list[list[float]]:
    rows: list[list[float]] = json.loads((Path(voice).parent / "report.json").read_text())["losses"]["rows"]
    return rows


def test_a_finished_run_with_more_epochs_goes_on_from_its_last_state(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    straight = work.run(make_params(epochs=4, out_dir=str(tmp_path / "straight"), **LAST), make_context())
    first = work.run(make_params(epochs=2, **LAST), make_context())
    longer, elsewhere = (
        make_params(epochs=4, **LAST),
        make_params(epochs=4, **LAST, extend=first.voice, out_dir=str(tmp_path / "longer")),
    )

    planned = plan(elsewhere, make_context().settings)["settings"]["continues"]
    copied = work.run(elsewhere, make_context())
    assert not are_equal(first.voice, straight.voice)  # a run that is extended elsewhere keeps its own voice
    stopped, resumed = make_context(), make_context()
    stopped.cancel_after_progress = 2 + 2
    with pytest.raises(Cancelled):
        work.run(longer, stopped)
    in_place = work.run(longer, resumed)

    assert (first.steps, in_place.steps, copied.steps) == (4, 8, 8)
    assert planned.startswith("from step 4, if nothing but epochs")
    assert planned.endswith("the learning rate is then that of 8 steps")
    for extended in (in_place, copied):
        assert are_equal(extended.voice, straight.voice)
        assert read_losses(extended.voice) == read_losses(straight.voice)
        assert extended.schedule.endswith("to step 8; extended at step 4, and from there by the longer schedule")
    assert any(message.startswith("training, continued from step 4") for message in stopped.messages)
    assert work.run(longer, make_context()) == in_place


def test_the_learning_rate_of_an_extension_is_that_of_the_longer_schedule(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    for epochs in (2, 4):
        result = work.run(make_params(epochs=epochs), make_context())

    rates = [row[4] for row in read_losses(result.voice)]
    short, long = (
        [learning_rate(step, peak=1e-3, warmup_steps=2, total_steps=total) for step in range(8)] for total in (4, 8)
    )
    assert rates == pytest.approx([*short[:4], *long[4:]])


def test_a_run_that_ended_early_has_new_patience_when_it_is_extended(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    by_heart = {"batch_size": 4, "lr": 5e-3, "validate_every_steps": 2, "lr_schedule": "constant", "early_stop": 2}
    first = work.run(make_params(epochs=30, **by_heart), make_context())

    longer = work.run(make_params(epochs=60, **by_heart), make_context())

    assert first.steps < 30
    assert longer.steps >= first.steps + 2 * 2
    assert f"extended at step {first.steps}" in longer.schedule


def test_what_cannot_be_extended_is_refused_with_what_to_do(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    first = work.run(make_params(max_steps=2), make_context())
    with pytest.raises(UserError, match="these parameters end at 1") as shorter:
        work.run(make_params(max_steps=1), make_context())
    gone = make_params(max_steps=1, keep_last_state=False, out_dir=str(tmp_path / "gone"))
    work.run(gone, make_context())
    with pytest.raises(UserError, match="was not kept") as lost:
        work.run(gone.model_copy(update={"max_steps": 3}), make_context())
    with pytest.raises(UserError, match="has no checkpoint beside it"):
        check(make_params(extend=str(tmp_path / "gone" / "voice")))
    with pytest.raises(ValidationError, match="starts over"):
        make_params(extend=first.voice, resume=False)

    assert (shorter.value.code, lost.value.code) == ("checkpoint_of_another_run", "nothing_to_extend")
    assert argument_text("base_model", str(tmp_path / "gone" / "voice")) in lost.value.hint


def test_checkpoints_that_are_a_link_out_of_their_run_are_not_adopted(tmp_path: Path) -> None:
    elsewhere, run = tmp_path / "private", tmp_path / "stranger"
    (elsewhere / "step-000099").mkdir(parents=True)
    (elsewhere / "step-000099" / "state.pt").write_bytes(b"x")
    (elsewhere / "diary.txt").write_text("private")
    (run / "voice").mkdir(parents=True)
    (run / "checkpoints").symlink_to(elsewhere)

    with pytest.raises(UserError, match="nothing_to_extend"):
        adopt_state(str(run / "voice"), tmp_path / "mine")

    assert not (tmp_path / "mine").exists()
    (run / "checkpoints").unlink()
    elsewhere.rename(run / "checkpoints")
    adopt_state(str(run / "voice"), tmp_path / "mine")
    assert (tmp_path / "mine" / "checkpoints" / "step-000099" / "state.pt").read_bytes() == b"x"


def test_voices_on_the_way_are_kept_listed_and_those_of_their_step(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    context = make_context()
    params = make_params(epochs=3, keep_exports="epoch", export="both", save_every_steps=1)
    stopped = make_context()
    stopped.cancel_after_progress = 2 + 5
    with pytest.raises(Cancelled):
        work.run(params, stopped)

    result = work.run(params, context)
    short = work.run(
        make_params(max_steps=4, export="last", lr_schedule="constant", out_dir=str(tmp_path / "short")), make_context()
    )
    constant = work.run(
        make_params(epochs=3, keep_exports=2, lr_schedule="constant", out_dir=str(tmp_path / "steps")), make_context()
    )

    assert [one.step for one in result.exports] == [one.step for one in constant.exports] == [2, 4, 6]
    validated = {row[0]: row[1] for row in json.loads((tmp_path / "out/report.json").read_text())["validation"]["rows"]}
    assert [one.validation_loss for one in result.exports] == [validated[2], validated[4], validated[6]]
    assert {"voice-2", "voice-4", "voice-6"} <= set(context.published)
    assert are_equal(constant.exports[1].voice, short.voice)
    assert are_equal(result.exports[2].voice, result.voice_last or result.voice)


@pytest.mark.parametrize("value", ["epochs", "0", "-1", "1.5", True])
def test_other_times_of_export_are_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Params(manifest="/m.jsonl", keep_exports=value)
