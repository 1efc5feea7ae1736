"""The estimate of a run's memory, against the peak of real optimiser steps on this machine's CPU."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from jobs.qwen.precision import Precision
from jobs.qwen.toy import config as toy_config
from jobs.qwen.train import fused_functions
from jobs.qwen.train.alignment_probe import Probe
from jobs.qwen.train.arithmetic import attention_kernel
from jobs.qwen.train.fused_layers import fuse_layers
from jobs.qwen.train.lora import add_adapters
from jobs.qwen.train.sequence_layout import ControlIds, Example
from jobs.qwen.upstream import qwen_tts
from jobs.runner.worker.context import JobContext
from jobs.training.data.changed_copies import VariedExamples
from jobs.training.params import Params
from jobs.training.planning import memory
from jobs.training.planning.memory import MicroBatchSize, Recipe, estimate, estimate_step
from jobs.training.planning.model_dims import RELEASED, ModelDims
from jobs.training.planning.run_config import RunConfig, make_sampler
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.forward import Forward
from jobs.training.run.model_setup import TrainableModel
from jobs.training.run.optimizer import make_optimiser, unfreeze_for_full
from jobs.training.run.sharding import RunWeights
from jobs.training.run.training_loop import TrainingLoop

TEXT_IDS = {"<|im_start|>": 0, "<|im_end|>": 1, "<tts_pad>": 2, "<tts_text_bos>": 3, "<tts_text_eod>": 4}
NO_PROBE = Probe(0.0, 0.0, 1.0, 0.0, 0.0, 1.0)
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
LARGER = config_of(hidden=512, layers=4, heads=8, head_dim=64, predictor_hidden=256, predictor_layers=3)


def model_of(config: Config) -> Any:
    """The upstream model with random weights, as training has it: SDPA, no speaker encoder."""
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


def measure(
    config: Config, recipe: Recipe, context: JobContext, *, n_clips: int, frames: int, n_text: int, share: float = 1.0
) -> tuple[int, int, MicroBatchSize]:
    """Bytes of the weights, bytes that two optimiser steps of the loop add at their peak, and the passes' size."""
    model = model_of(config)
    if recipe.method == "lora":
        targets = "all" if recipe.lora_predictor else "talker" if recipe.lora_mlp else "attention"
        add_adapters(model, r=recipe.lora_r, alpha=32, dropout=0.0, targets=targets, use_dora=recipe.lora_dora)
    else:
        unfreeze_for_full(model, recipe.freeze)
    if recipe.gradient_checkpointing:
        model.talker.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    fuse_layers(model)
    model.train()
    micro_batches = 2 if recipe.accumulates else 1
    example = Example(torch.arange(5, 5 + n_text), torch.zeros(frames, 16, dtype=torch.long), "english",
                      torch.zeros(model.config.talker_config.hidden_size))  # fmt: skip
    clips = [example] * (2 * micro_batches * n_clips)
    params = Params(
        manifest="none", gradient_accumulation_steps=micro_batches, batch_size=n_clips, predictor_share=share
    )
    sampler = make_sampler(params, [example.length] * len(clips))
    run_config = RunConfig(epochs=1, total_steps=2, lr=1e-5, warmup_steps=0)
    forward = Forward(model, ControlIds.from_config(model.config), "cpu", Precision("float32", "on a CPU"))
    trainable = TrainableModel(forward, {}, VariedExamples(clips, [()] * len(clips), 0), [], NO_PROBE, "inconclusive")
    optimiser = make_optimiser(model, lr=1e-5, weight_decay=0.01, name=recipe.optimizer)
    group = DistributedGroup()
    training = TrainingLoop(
        params, run_config, sampler, trainable, RunWeights(model, group), optimiser, group,
        context.folder / "checkpoints", {},
    )  # fmt: skip
    gc.collect()
    held = sum(tensor.untyped_storage().nbytes() for tensor in [*model.parameters(), *model.buffers()])

    with attention_kernel(recipe.attention):
        added = peak_of(lambda: training.run(context, None))

    assert training.step == 2
    largest = MicroBatchSize(n_clips, example.length, n_clips * frames, math.ceil(share * n_clips * frames))
    return held, added, largest


FULL, LORA = Recipe(), Recipe(method="lora")


RECOMPUTED = Recipe(gradient_checkpointing=True)
LORA_RECOMPUTED = replace(RECOMPUTED, method="lora")


@pytest.mark.parametrize(
    ("recipe", "config", "n_clips", "frames", "n_text", "share"),
    [
        (FULL, EQUAL_WIDTHS, 1, 40, 20, 1.0),
        (RECOMPUTED, EQUAL_WIDTHS, 1, 40, 20, 1.0),
        (FULL, NARROW_PREDICTOR, 4, 100, 40, 1.0),
        (FULL, NARROW_PREDICTOR, 4, 100, 40, 0.25),
        (replace(FULL, freeze="code_predictor"), NARROW_PREDICTOR, 2, 150, 40, 1.0),
        (replace(RECOMPUTED, freeze="talker"), EQUAL_WIDTHS, 2, 80, 40, 1.0),
        (replace(FULL, accumulates=True), NARROW_PREDICTOR, 2, 80, 30, 1.0),
        (replace(RECOMPUTED, optimizer="adamw_8bit"), EQUAL_WIDTHS, 1, 60, 30, 1.0),
        (FULL, LARGER, 1, 60, 30, 1.0),
        (LORA, EQUAL_WIDTHS, 4, 60, 20, 1.0),
        (LORA_RECOMPUTED, EQUAL_WIDTHS, 4, 60, 20, 1.0),
        (LORA, NARROW_PREDICTOR, 1, 250, 80, 1.0),
        (replace(LORA, lora_predictor=True), NARROW_PREDICTOR, 2, 60, 20, 1.0),
        (replace(LORA_RECOMPUTED, lora_mlp=False), EQUAL_WIDTHS, 2, 60, 20, 1.0),
        (LORA_RECOMPUTED, LARGER, 1, 60, 30, 1.0),
        (replace(LORA, lora_dora=True), EQUAL_WIDTHS, 4, 60, 20, 1.0),
        (replace(LORA_RECOMPUTED, lora_dora=True), LARGER, 1, 60, 30, 1.0),
        (replace(FULL, attention="math"), NARROW_PREDICTOR, 1, 500, 200, 0.25),
    ],
)
def test_the_estimate_is_within_a_tenth_of_the_peak_of_a_real_step(
    recipe: Recipe,
    config: Config,
    n_clips: int,
    frames: int,
    n_text: int,
    share: float,
    make_context: Callable[[], JobContext],
) -> None:
    held, added, largest = measure(
        config, recipe, make_context(), n_clips=n_clips, frames=frames, n_text=n_text, share=share
    )

    parts = estimate_step(ModelDims.from_config(config), recipe, largest, "cpu").parts
    process, weights, allocator = (parts.pop(name) for name in ("process", "weights", "allocator"))
    assert process > 0
    assert weights == pytest.approx(held, rel=0.01)
    assert sum(parts.values()) == pytest.approx(added, rel=0.10)
    assert allocator == pytest.approx(0.2 * (weights + sum(parts.values())))


def test_the_logits_of_a_chunk_are_those_of_the_loss() -> None:
    assert memory.LOSS_ROWS == fused_functions.LOSS_ROWS


def test_loading_or_samples_are_the_peak_of_a_run_of_short_clips_with_adapters() -> None:
    small, large = MicroBatchSize(1, 40, 20, 20), MicroBatchSize(4, 300, 1000, 1000)
    speaks = replace(LORA, samples=True)
    weights = {size: 4 * dims.weights for size, dims in RELEASED.items()}

    loads = estimate(RELEASED["1.7b"], LORA, small, "cpu")
    trains = estimate(RELEASED["0.6b"], speaks, large, "cpu")

    assert loads.moment == "loading"
    assert loads.peak == pytest.approx(loads.parts["process"] + 1.2 * 1.5 * weights["1.7b"])
    assert trains == estimate(RELEASED["0.6b"], LORA, large, "cpu")
    assert trains.moment == "predictor backward"
    assert estimate(RELEASED["1.7b"], speaks, small, "cuda").moment != "samples"


def test_samples_of_a_small_model_take_more_than_a_step() -> None:
    found = estimate(
        ModelDims.from_config(EQUAL_WIDTHS), replace(LORA, samples=True), MicroBatchSize(1, 40, 20, 20), "cpu"
    )

    assert found.moment == "samples"
    assert found.parts["codec"] == 682_000_000


@pytest.mark.parametrize(("size", "with_speaker_encoder"), [("0.6b", 914_643_008), ("1.7b", 1_928_677_440)])
def test_the_released_shapes_have_the_published_number_of_weights(size: str, with_speaker_encoder: int) -> None:
    speaker_encoder = with_speaker_encoder - RELEASED[size].weights

    assert 8_000_000 < speaker_encoder < 13_000_000  # 8.9 M and 12.0 M
