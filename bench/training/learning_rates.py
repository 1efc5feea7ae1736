"""Learning rates at which LoRA and full training make equal progress: ``./run.sh bench learning_rates``.

For each size a random base first learns a made-up language of codes, then a second one as a new voice: by full training
at several rates, and by LoRA at several rates, ranks and scalings. Progress is what held-out clips gain in talker loss.
The rate of LoRA that gains as much as full training is interpolated on a logarithmic scale. One JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from bench.support.train_step import CODEBOOK, SIZES, config_of, random_model
from jobs.codec_format import N_CODEBOOKS
from jobs.qwen.train.fused_layers import fuse_layers
from jobs.qwen.train.lora import add_adapters
from jobs.qwen.train.loss import loss_sums, predict
from jobs.qwen.train.sequence_layout import ControlIds, Example, collate
from jobs.training.run.optimizer import clip_gradients, make_optimiser, trainable, unfreeze_for_full

FULL_RATES = (2e-6, 5e-6, 1e-5)
LORA_RATES = (1e-5, 3e-5, 1e-4, 3e-4)
BASE_RATE = 1e-3
N_CODES = 64  # of the codebook, so that a base is learnt in a hundred steps
FRAMES, WORDS, BATCH, HELD_OUT = 40, 12, 4, 8


@dataclass(frozen=True)
class Way:
    """One way to train."""

    method: str
    lr: float
    r: int = 16
    use_rslora: bool = False


def clips_of_language(seed: int, n_clips: int, text_vocabulary: int, hidden: int, draw: int) -> list[Example]:
    """Clips of a language: each code decides the next one and the frame's other codebooks, but for some noise.

    Args:
        seed: of the language.
        draw: of the clips.
    """
    rules, rng = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(1000 + draw)
    follows = torch.randperm(N_CODES, generator=rules)
    others = torch.stack([torch.randperm(N_CODES, generator=rules) for _ in range(N_CODEBOOKS - 1)], dim=1)
    speaker = torch.randn(hidden, generator=rules) * 0.02
    clips = []
    for _ in range(n_clips):
        first = [int(torch.randint(0, N_CODES, (1,), generator=rng))]
        for _ in range(FRAMES - 1):
            noisy = float(torch.rand(1, generator=rng)) < 0.1
            first.append(int(torch.randint(0, N_CODES, (1,), generator=rng) if noisy else follows[first[-1]]))
        codes = torch.cat([torch.tensor(first)[:, None], others[first]], dim=1) * (CODEBOOK // N_CODES)
        text = torch.randint(8, text_vocabulary, (3 + WORDS,), generator=rng)
        clips.append(Example(text, codes, "auto", speaker))
    return clips


def talker_loss(model: Any, clips: Sequence[Example]) -> float:
    """Mean cross-entropy of codebook 0 in nats."""
    batch = collate(clips, ControlIds.from_config(model.config))
    with torch.no_grad():
        found = loss_sums(predict(model, batch), batch)
    return float(found.talker) / found.n_talker


def train(model: Any, lr: float, clips: Sequence[Example], n_steps: int) -> None:
    """Make optimiser steps at a constant rate."""
    ids = ControlIds.from_config(model.config)
    parameters = list(trainable(model).values())
    optimiser = make_optimiser(model, lr=lr, weight_decay=0.01)
    for step in range(n_steps):
        batch = collate([clips[(step * BATCH + index) % len(clips)] for index in range(BATCH)], ids)
        found = loss_sums(predict(model, batch), batch)
        (found.talker / found.n_talker + 0.3 * found.predictor / found.n_predictor).backward()
        clip_gradients(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def equal_rate(target: float, gains: Mapping[float, float]) -> float | None:
    """Interpolate the rate at which a gain is reached, on a logarithmic scale; None outside of the measured ones."""
    rates = sorted(gains)
    for low, high in pairwise(rates):
        if gains[low] <= target <= gains[high]:
            share = (target - gains[low]) / max(1e-9, gains[high] - gains[low])
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return None


def measure(size: str, base_steps: int, n_steps: int, variants: bool) -> dict[str, Any]:
    """Train a base of a size, then from it by every way."""
    shape = SIZES[size]
    base = random_model(config_of(shape), "cpu", torch.float32)
    base.speaker_encoder = None
    unfreeze_for_full(base)
    fuse_layers(base)
    base.train()
    words, hidden = shape.text_vocabulary, shape.talker.hidden
    train(base, BASE_RATE if hidden < 256 else BASE_RATE / 4, clips_of_language(1, 200, words, hidden, 0), base_steps)
    voice, held_out = clips_of_language(2, 200, words, hidden, 1), clips_of_language(2, HELD_OUT, words, hidden, 2)
    before = talker_loss(base, held_out)
    ways = [Way("full", lr) for lr in FULL_RATES] + [Way("lora", lr) for lr in LORA_RATES]
    if variants:
        ways += [
            Way("lora", lr, r, rs)
            for r in (16, 64)
            for rs in (False, True)
            for lr in LORA_RATES
            if (r, rs) != (16, False)
        ]
    gains: dict[str, dict[float, float]] = {}
    for way in ways:
        model = random_model(config_of(shape), "cpu", torch.float32)
        model.speaker_encoder = None
        model.load_state_dict(base.state_dict())
        torch.manual_seed(0)
        if way.method == "full":
            unfreeze_for_full(model, "code_predictor")
        else:
            add_adapters(model, r=way.r, alpha=2 * way.r, dropout=0.0, use_rslora=way.use_rslora)
        fuse_layers(model)
        model.train()
        train(model, way.lr, voice, n_steps)
        name = "full" if way.method == "full" else f"lora r={way.r}{' rslora' if way.use_rslora else ''}"
        gains.setdefault(name, {})[way.lr] = before - talker_loss(model, held_out)
    return {
        "size": size,
        "parameters_m": round(sum(p.numel() for p in base.parameters()) / 1e6, 1),
        "steps": n_steps,
        "loss_before": round(before, 3),
        "gain_nats": {name: {f"{lr:g}": round(gain, 3) for lr, gain in found.items()} for name, found in gains.items()},
        "equal_rate": {
            f"{name}, full at {lr:g}": found and float(f"{found:.2g}")
            for name in gains
            if name != "full"
            for lr, gain in gains["full"].items()
            for found in [equal_rate(gain, gains[name])]
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench learning_rates", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=sorted(SIZES), default=["tiny", "6m", "20m"])
    parser.add_argument("--base-steps", type=int, default=120)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--variants", action="store_true", help="also rank 64, and rsLoRA")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for size in options.sizes:
        print(json.dumps(measure(size, options.base_steps, options.steps, options.variants)), flush=True)


if __name__ == "__main__":
    main()
