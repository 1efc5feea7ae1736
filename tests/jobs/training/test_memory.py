"""The estimate of a run's memory, against the peak of real optimiser steps on this machine's CPU."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from jobs.qwen import toy_config
from jobs.qwen.layout import ControlIds, Example, lay_out
from jobs.qwen.loss import loss_sums, predict, total_loss
from jobs.qwen.stock import qwen_tts
from jobs.training.memory import PassSize, Recipe, estimate
from jobs.training.optimiser import clip_gradients, make_optimiser, trainable
from jobs.training.prepare import unfreeze
from jobs.training.shapes import RELEASED, Shape
from jobs.training.spec import Params

TEXT_IDS = {"<|im_start|>": 0, "<|im_end|>": 1, "<tts_pad>": 2, "<tts_text_bos>": 3, "<tts_text_eod>": 4}
Config = dict[str, Any]


def config_of(
    *, hidden: int, layers: int, heads: int, head_dim: int, predictor_hidden: int, predictor_layers: int
) -> Config:
    """A model of the released proportions: MLP three times the width, half as many heads for keys."""
    config = toy_config.model_config(
        shape="0.6b",
        text_ids=TEXT_IDS,
        text_vocab_size=1000,
        codebook_size=2048,
        hidden=hidden,
        layers=layers,
        predictor_hidden=predictor_hidden,
    )
    talker = config["talker_config"]
    shared = {"num_attention_heads": heads, "num_key_value_heads": heads // 2, "head_dim": head_dim}
    quarter = head_dim // 8
    talker.update(shared, intermediate_size=3 * hidden, rope_scaling={
        "interleaved": True, "mrope_section": [2 * quarter, quarter, quarter], "rope_type": "default"})  # fmt: skip
    talker["code_predictor_config"].update(
        shared,
        intermediate_size=3 * predictor_hidden,
        num_hidden_layers=predictor_layers,
        layer_types=["full_attention"] * predictor_layers,
    )
    return config


EQUAL_WIDTHS = config_of(hidden=192, layers=5, heads=6, head_dim=32, predictor_hidden=192, predictor_layers=3)
NARROW_PREDICTOR = config_of(hidden=256, layers=6, heads=8, head_dim=32, predictor_hidden=128, predictor_layers=2)
SIXTY_MILLION = config_of(hidden=512, layers=8, heads=8, head_dim=64, predictor_hidden=256, predictor_layers=3)


def model_of(config: Config) -> Any:
    """The stock model with random weights, as training has it: SDPA, no speaker encoder."""
    models = qwen_tts().core.models
    torch.manual_seed(0)
    model = models.Qwen3TTSForConditionalGeneration(
        models.Qwen3TTSConfig(**{key: value for key, value in config.items() if key != "architectures"})
    )
    for module in model.modules():
        if hasattr(module, "config"):
            module.config._attn_implementation = "sdpa"
    model.speaker_encoder = None
    return model


def peak_of(act: Callable[[], None]) -> int:
    """Most bytes that the CPU's allocator holds during a call, beyond those before it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        act()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def bytes_of(tensors: Any) -> int:
    """Bytes of the tensors among some values."""
    return sum(value.untyped_storage().nbytes() for value in tensors if torch.is_tensor(value))


def measure(config: Config, recipe: Recipe, *, n_clips: int, frames: int, n_text: int) -> tuple[int, int, PassSize]:
    """Bytes of weights and optimiser state, bytes that a second optimiser step adds at its peak, and its pass."""
    model = model_of(config)
    unfreeze(
        model,
        Params(
            manifest="/unused.jsonl",
            method=recipe.method,
            lora_r=recipe.lora_r,
            gradient_checkpointing=recipe.gradient_checkpointing,
        ),
    )
    optimiser = make_optimiser(model, lr=1e-5, weight_decay=0.01, use_8bit_adam=False)
    example = Example(torch.arange(5, 5 + n_text), torch.zeros(frames, 16, dtype=torch.long), "english",
                      torch.zeros(model.config.talker_config.hidden_size))  # fmt: skip
    batch = lay_out([example] * n_clips, ControlIds.of(model.config))

    def step() -> None:
        for _ in range(2 if recipe.accumulates else 1):
            sums = loss_sums(predict(model, batch), batch)
            total_loss(
                sums, n_talker=batch.n_labels, n_predictor=batch.n_frames * 15, code_predictor_weight=0.3
            ).backward()  # type: ignore[no-untyped-call]
        clip_gradients(trainable(model).values(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    step()
    gc.collect()
    held = bytes_of([*model.parameters(), *model.buffers()])
    held += sum(bytes_of(state.values()) for state in optimiser.state.values())
    return held, peak_of(step), PassSize(n_clips, example.length, batch.n_frames)


FULL, LORA = Recipe(), Recipe(method="lora")


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize(
    ("recipe", "config", "n_clips", "frames", "n_text"),
    [
        (FULL, EQUAL_WIDTHS, 1, 40, 20),
        (FULL, NARROW_PREDICTOR, 4, 100, 40),
        (replace(FULL, accumulates=True), NARROW_PREDICTOR, 2, 80, 30),
        (FULL, SIXTY_MILLION, 1, 60, 30),
        (LORA, EQUAL_WIDTHS, 4, 60, 20),
        (LORA, NARROW_PREDICTOR, 1, 250, 80),
        (LORA, SIXTY_MILLION, 1, 60, 30),
    ],
)
def test_the_estimate_is_within_a_tenth_of_the_peak_of_a_real_step(
    recipe: Recipe, config: Config, n_clips: int, frames: int, n_text: int, checkpointing: bool
) -> None:
    recipe = replace(recipe, gradient_checkpointing=checkpointing)

    held, added, largest = measure(config, recipe, n_clips=n_clips, frames=frames, n_text=n_text)

    parts = estimate(Shape.of(config), recipe, largest, "cpu").parts
    process, weights, state = parts.pop("process"), parts.pop("weights"), parts.pop("optimizer state")
    assert process > 0
    assert weights + state == pytest.approx(held, rel=0.01)
    assert sum(parts.values()) == pytest.approx(added, rel=0.10)


@pytest.mark.parametrize(("size", "with_speaker_encoder"), [("0.6b", 914_643_008), ("1.7b", 1_928_677_440)])
def test_the_released_shapes_have_the_published_number_of_weights(size: str, with_speaker_encoder: int) -> None:
    speaker_encoder = with_speaker_encoder - RELEASED[size].weights

    assert 8_000_000 < speaker_encoder < 13_000_000  # 8.9 M and 12.0 M
