"""How long a run will take: from an earlier run on this machine, else from its arithmetic. Rough. Light: no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from jobs.codec_format import N_CODEBOOKS
from jobs.runner.progress.reports import tail_lines
from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.planning.memory_fit import Memory, recipe_of
from jobs.training.planning.model_dims import Shape

# What two runs must share to be as fast as each other.
ALIKE = (
    "base_model", "method", "batch_size", "batch_tokens", "gradient_checkpointing", "n_processes", "predictor_share",
    "load_in_4bit", "freeze",
)  # fmt: skip
RUNS_LOOKED_AT = 30

# Floating-point operations a second that training reaches. CPU: measured with a 60 M model on one core of the
# development machine (71 full, 80 lora; 2026-11-24). GPU: dense bfloat16 peak of the makers' data sheets times a share
# that is a guess, because no GPU was at hand.
CPU_CORE_FLOPS = 70e9
GPU_SHARE = 0.25
GPU_PEAK_FLOPS = {
    "H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "A10": 125e12, "L4": 121e12, "RTX 5090": 210e12,
    "RTX 4090": 165e12, "RTX 4080": 97e12, "RTX 4070": 58e12, "RTX 3090": 71e12, "RTX 3080": 60e12, "A6000": 155e12,
}  # fmt: skip


@dataclass(frozen=True)
class Pace:
    """Frames learnt a second, and where the figure comes from."""

    frames_per_s: float
    source: str


def pace_of(params: Params, shape: Shape, memory: Memory, settings: Settings, n_cores: int) -> Pace | None:
    """Estimate how fast a run learns; None where nothing is known of the GPU."""
    earlier = _earlier(params, settings)
    if earlier is not None:
        return earlier
    per_frame = operations_per_frame(params, shape)
    if memory.device == "cpu":
        return Pace(CPU_CORE_FLOPS * n_cores / per_frame, f"arithmetic at {CPU_CORE_FLOPS / 1e9:.0f} GFLOP/s a core")
    found = next((name for name in GPU_PEAK_FLOPS if name in memory.name), None)
    if found is None:
        return None
    rate = GPU_PEAK_FLOPS[found] * GPU_SHARE * params.n_processes
    return Pace(rate / per_frame, f"arithmetic at {GPU_SHARE:.0%} of a {found}'s peak, a guess")


def operations_per_frame(params: Params, shape: Shape) -> float:
    """Floating-point operations that learning a frame takes: two a weight and position forward, as many for each of
    the inputs' and the weights' gradients, and the forward ones again with checkpointing. Text and padding add little.
    """
    recipe = recipe_of(params)
    again = 2 if recipe.gradient_checkpointing else 0
    talker = 2 + again + (0 if recipe.freeze == "talker" else 2) + (2 if recipe.method == "full" else 0)
    learns = recipe.method == "full" and recipe.freeze != "code_predictor"
    predictor = 4 + again + (2 if learns else 0)
    heads = (N_CODEBOOKS - 1) * shape.codebook * shape.predictor.hidden
    books = N_CODEBOOKS * shape.predictor.matrices + heads + N_CODEBOOKS * shape.projection_to_predictor
    head = shape.vocabulary * shape.talker.hidden
    return talker * (shape.talker.matrices + head) + predictor * books * params.predictor_share


def _earlier(params: Params, settings: Settings) -> Pace | None:
    """The pace of the newest run alike in this home."""
    folders = sorted((settings.home / "jobs").glob("training-*"), key=lambda folder: folder.name, reverse=True)
    for folder in folders[:RUNS_LOOKED_AT]:
        try:
            ran = json.loads((folder / "job.json").read_text(encoding="utf-8"))["params"]
        except (OSError, ValueError, KeyError):
            continue
        if all(ran.get(name) == getattr(params, name) for name in ALIKE):
            rate = _last_rate(folder)
            if rate is not None:
                return Pace(rate, f"run {folder.name} on this machine")
    return None


def _last_rate(folder: Path) -> float | None:
    """The newest ``frames_per_s`` of a job's progress."""
    for attempt in sorted(folder.glob("attempt-*"), reverse=True):
        for line in reversed(tail_lines(attempt / "progress.jsonl", 32_768)):
            try:
                rate = json.loads(line)["metrics"]["frames_per_s"]
            except (ValueError, KeyError, TypeError):
                continue
            if rate > 0:
                return float(rate)
    return None
