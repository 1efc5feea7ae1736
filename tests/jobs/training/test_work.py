"""Work of start_training: training, resuming, export and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.errors import UserError
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.qwen.upstream import qwen_tts
from jobs.runner.worker.context import Cancelled
from jobs.training import work
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.params import Params, Result
from jobs.training.planning.model_dims import RELEASED
from jobs.training.run import checkpoint, resource_errors, training_loop
from jobs.training.run.resource_errors import cuda_oom_hint
from jobs.training.spec import KIND
from tests.support.declared_outputs import list_undeclared

MakeParams = Callable[..., Params]
MakeContext = Callable[[], Any]
BEFORE_TRAINING = 2  # progress reports before the first step

# total, talker, code predictor; written down when the contract tests first passed (torch 2.8, float32, CPU)
KNOWN_FIRST = [8.287411, 7.039883, 4.158428]
KNOWN_SECOND = [8.226441, 6.973898, 4.175143]


def losses(result: Result) -> list[list[float]]:
    rows: list[list[float]] = json.loads((Path(result.voice).parent / "report.json").read_text())["losses"]["rows"]
    return rows


def weights(result: Result) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(Path(result.voice) / "model.safetensors")
    return found


def stop_after(steps: int, params: Params, make_context: MakeContext) -> None:
    """Run until a cancel after some steps."""
    context = make_context()
    context.cancel_after_progress = BEFORE_TRAINING + steps
    with pytest.raises(Cancelled):
        work.run(params, context)


def test_two_seeded_steps_have_these_losses(make_params: MakeParams, make_context: MakeContext) -> None:
    result = work.run(make_params(max_steps=2), make_context())

    (step, loss, talker, predictor, lr, _), (_, loss_2, talker_2, predictor_2, lr_2, _) = losses(result)
    assert (step, lr, lr_2) == (1, 5e-4, 1e-3)
    assert [loss, talker, predictor] == pytest.approx(KNOWN_FIRST, abs=1e-5)
    assert [loss_2, talker_2, predictor_2] == pytest.approx(KNOWN_SECOND, abs=1e-5)
    assert loss == pytest.approx(talker + 0.3 * predictor)


def test_accumulated_batches_equal_the_large_batch(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    whole = work.run(make_params(batch_size=4, out_dir=str(tmp_path / "a")), make_context())
    parts = work.run(
        make_params(batch_size=1, gradient_accumulation_steps=4, out_dir=str(tmp_path / "b")), make_context()
    )

    assert [row[1] for row in losses(whole)] == pytest.approx([row[1] for row in losses(parts)], rel=1e-5)
    others = weights(parts)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(tensor, others[name], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "full", "ema_decay": 0.9, "min_lr_share": 0.1, "sample_weights": ["english=1.5"]},
        {"method": "lora", "ema_decay": 0.9, "lora_dora": True, "deterministic": True},
    ],
    ids=["full", "lora"],
)
def test_resuming_equals_never_having_stopped(
    options: dict[str, Any], make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    common = {**options, "lora_dropout": 0.1, "lora_r": 4, "save_every_steps": 2}
    straight = work.run(make_params(out_dir=str(tmp_path / "straight"), **common), make_context())
    broken = make_params(out_dir=str(tmp_path / "broken"), **common)
    stop_after(3, broken, make_context)
    stop_after(1, broken, make_context)

    resumed = work.run(broken, make_context())

    assert losses(resumed) == losses(straight)
    assert resumed.last_loss == straight.last_loss
    others = weights(resumed)
    assert all(torch.equal(tensor, others[name]) for name, tensor in weights(straight).items())
    averaged, again = (load_file(Path(str(one.voice_ema)) / "model.safetensors") for one in (straight, resumed))
    assert all(torch.equal(tensor, again[name]) for name, tensor in averaged.items())
    assert straight.ema_validation_loss == resumed.ema_validation_loss


def test_after_a_kill_the_run_goes_on_from_the_last_checkpoint(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = work.run(make_params(out_dir=str(tmp_path / "straight")), make_context())
    params = make_params(out_dir=str(tmp_path / "killed"), save_every_steps=2)
    context = make_context()

    class Killed(BaseException):
        """Stands for SIGKILL: nothing of ours may run."""

    def die_at_step_5(done: float, *_: Any, **__: Any) -> None:
        if done == 5:
            raise Killed

    monkeypatch.setattr(context, "progress", die_at_step_5)
    with pytest.raises(Killed):
        work.run(params, context)
    kept = sorted(path.name for path in (tmp_path / "killed" / "checkpoints").iterdir())

    resumed = work.run(params, make_context())

    assert kept == ["best-000004.pt", "step-000002", "step-000004"]
    assert losses(resumed) == losses(straight)


def test_a_finished_run_is_not_done_again(make_params: MakeParams, make_context: MakeContext) -> None:
    first = work.run(make_params(), make_context())
    written = (Path(first.voice) / "model.safetensors").stat().st_mtime_ns
    context = make_context()

    second = work.run(make_params(), context)

    assert second == first
    assert (Path(first.voice) / "model.safetensors").stat().st_mtime_ns == written
    assert set(context.published) == {"voice", "loss.png", "report.json", "report.html"}
    kept = {path.name for path in (Path(first.voice).parent / "checkpoints").iterdir()}
    assert kept == {f"best-{first.voice_step:06d}.pt", f"step-{first.steps:06d}"}


def test_other_parameters_do_not_continue_a_run_unless_asked_to_start_over(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    stop_after(2, make_params(), make_context)

    with pytest.raises(UserError, match=r"lr was 0\.001, is 0\.002") as refused:
        work.run(make_params(lr=2e-3), make_context())
    afresh = work.run(make_params(lr=2e-3, resume=False, max_steps=1), make_context())

    assert refused.value.code == "checkpoint_of_another_run"
    assert afresh.steps == 1


def test_a_run_whose_clips_were_held_out_by_an_earlier_rule_is_not_resumed(
    make_params: MakeParams, make_context: MakeContext, coded_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    params = make_params()
    rows = [{**coded_rows[number % 4], "text": f"text {number}"} for number in range(24)]
    Path(params.manifest).write_text("".join(json.dumps(row) + "\n" for row in rows))
    stop_after(2, params, make_context)
    (state,) = (tmp_path / "out" / "checkpoints").glob("step-*/state.pt")
    saved = torch.load(state, weights_only=True)
    assert saved["run"].pop("split") == "by speaker and chapter"
    torch.save(saved, state)

    with pytest.raises(UserError, match="split was None") as refused:
        work.run(params, make_context())

    assert refused.value.code == "checkpoint_of_another_run"


def test_a_finished_voice_is_not_replaced_by_another_run_unless_asked(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    work.run(make_params(max_steps=1), make_context())

    with pytest.raises(UserError, match="speaker 'slt', 1 steps") as refused:
        work.run(make_params(max_steps=2, lr=2e-3), make_context())
    replaced = work.run(make_params(max_steps=2, lr=2e-3, resume=False), make_context())

    assert refused.value.code == "out_dir_taken"
    assert replaced.steps == 2


def test_what_a_run_makes_is_published_and_drawn(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    context = make_context()

    result = work.run(make_params(method="lora", lora_r=2), context)

    out = tmp_path / "out"
    assert context.published == {
        "voice": (out / "voice", "voice"),
        "adapter": (out / "adapter", "adapter"),
        "loss.png": (out / "loss.png", "plot"),
        "report.json": (out / "report.json", "report"),
        "report.html": (out / "report.html", "report"),
    }
    assert list_undeclared(KIND, out_dir=out) == []
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "adapter" / "adapter_model.safetensors").is_file()
    assert list((out / "tensorboard").glob("events.out.tfevents.*"))
    assert result.steps == 6
    assert result.n_clips == 4
    assert result.base_check == "inconclusive"
    assert result.validation_loss == pytest.approx(result.first_loss, rel=0.05)
    assert {"loss", "lr", "frames_per_s"} <= set().union(*context.metrics)
    card = json.loads((out / "voice" / "tts_train.json").read_text())
    assert card["run"]["seed"] == 7
    assert card["base_check"]["verdict"] == "inconclusive"


def test_lora_leaves_all_but_the_talkers_layers_as_they_were(
    make_params: MakeParams, make_context: MakeContext, tiny_base: Path
) -> None:
    result = work.run(make_params(method="lora", lora_r=2, lr=1e-2), make_context())

    before = load_file(tiny_base / "model.safetensors")
    changed = {name for name, tensor in weights(result).items() if not torch.equal(tensor, before[name])}
    changed.discard("talker.model.codec_embedding.weight")  # the speaker's row
    assert changed
    assert all(name.startswith("talker.model.layers.") for name in changed)


def test_a_voice_can_be_trained_again_with_full_and_with_lora(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    first = work.run(make_params(epochs=20, lr=3e-3), make_context())

    again = work.run(make_params(base_model=first.voice, out_dir=str(tmp_path / "again"), lr=1e-4), make_context())
    adapted = work.run(
        make_params(base_model=first.voice, out_dir=str(tmp_path / "lora"), lr=1e-4, method="lora"), make_context()
    )

    assert again.first_loss < 0.9 * first.first_loss
    assert adapted.first_loss == pytest.approx(again.first_loss, rel=1e-4)
    slot = json.loads((Path(first.voice) / "config.json").read_text())["talker_config"]["spk_id"]
    for result in (again, adapted):
        config = json.loads((Path(result.voice) / "config.json").read_text())
        assert config["talker_config"]["spk_id"] == slot
        table = "talker.model.codec_embedding.weight"
        assert torch.equal(weights(result)[table][slot["slt"]], weights(first)[table][slot["slt"]])
    card = json.loads((Path(adapted.voice) / "tts_train.json").read_text())
    assert card["base_card"]["run"]["method"] == "full"


@pytest.mark.parametrize(
    ("shape", "options"),
    [("0.6b", {}), ("1.7b", {}), ("1.7b", {"packing": True}), ("0.6b", {"batch_tokens": 150, "n_passes": 2})],
    ids=["0.6b", "1.7b", "packed", "by token budget"],
)
def test_overfitting_makes_stock_speak_the_trained_codes(
    shape: str,
    options: dict[str, Any],
    make_params: MakeParams,
    make_context: MakeContext,
    coded_rows: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    base = make_toy_base(tmp_path / "base", shape=shape, codebook_size=64)
    params = make_params(
        base_model=str(base), epochs=1000, max_steps=120, batch_size=4, lr=1e-2, weight_decay=0.0,
        code_predictor_weight=1.0, warmup_steps=10, export="last",
        gradient_accumulation_steps=options.pop("n_passes", 1), **options,
    )  # fmt: skip

    result = work.run(params, make_context())

    upstream = qwen_tts().Qwen3TTSModel.from_pretrained(result.voice, dtype=torch.float32)
    for row in coded_rows[:3]:
        wavs, _ = upstream.generate_custom_voice(
            row["text"], speaker="slt", language=row["language"], do_sample=False, subtalker_dosample=False,
            max_new_tokens=40,
        )  # fmt: skip
        expected, _ = upstream.model.speech_tokenizer.decode([{"audio_codes": torch.tensor(row["audio_codes"])}])
        assert len(wavs[0]) == 1920 * len(row["audio_codes"])
        assert abs(wavs[0] - expected[0]).max() < 1e-6


def test_a_loss_that_is_no_number_stops_the_run_with_advice(
    make_params: MakeParams, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = training_loop.total_loss

    def poisoned(*args: Any, **kwargs: Any) -> torch.Tensor:
        return original(*args, **kwargs) * torch.tensor(float("nan"))

    monkeypatch.setattr(training_loop, "total_loss", poisoned)

    with pytest.raises(UserError, match="Step 1") as refused:
        work.run(make_params(), make_context())

    assert refused.value.code == "training_diverged"
    assert "lower lr" in refused.value.hint or "third of the lr" in refused.value.hint
    assert "in float32" in refused.value.message


def test_eight_bit_adam_and_gradient_checkpointing_learn_alike(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    plain = work.run(make_params(out_dir=str(tmp_path / "plain")), make_context())
    thrifty = work.run(
        make_params(out_dir=str(tmp_path / "thrifty"), optimizer="adamw_8bit", gradient_checkpointing=True),
        make_context(),
    )

    assert [row[1] for row in losses(thrifty)] == pytest.approx([row[1] for row in losses(plain)], rel=1e-3)


def test_a_full_disk_is_refused_before_the_first_step(
    make_params: MakeParams, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(resource_errors.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(UserError, match=r"0\.0 GB free") as refused:
        work.run(make_params(), make_context())

    assert refused.value.code == "disk_full"


def test_the_error_of_a_full_gpu_names_the_setting_to_lower(make_params: MakeParams) -> None:
    clips = [ClipSize(100, 100)] * 4

    def hint(**given: Any) -> str:
        return cuda_oom_hint(make_params(**given), RELEASED["1.7b"], clips)

    assert "Use batch_size=1 gradient_accumulation_steps=2." in hint(batch_size=2)
    assert "gradient_checkpointing=true" in hint(batch_size=1)
    assert "method=lora" in hint(batch_size=1, gradient_checkpointing=True, optimizer="adamw_8bit")


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints cannot be written: no space."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)


@pytest.mark.usefixtures("crowded")
def test_a_disk_that_fills_up_leaves_an_error_that_says_how_to_go_on(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    with pytest.raises(UserError, match="No space left") as refused:
        work.run(make_params(save_every_steps=1), make_context())

    assert refused.value.code == "disk_full"
    assert "continues" in refused.value.hint
