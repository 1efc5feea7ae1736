"""Rough estimate of a run's throughput: from an earlier run on this machine, else from its arithmetic."""

import json
from dataclasses import dataclass
from pathlib import Path

from jobs.codec_format import N_CODEBOOKS
from jobs.runner.progress.tail import newest_reports
from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.planning.memory_fit import MemoryBudget, build_recipe
from jobs.training.planning.model_dims import ModelDims

# Parameters that must be equal for two runs to have the same throughput.
SPEED_PARAMETERS = (
    "base_model", "method", "batch_size", "batch_tokens", "gradient_checkpointing", "n_processes", "predictor_share",
    "load_in_4bit", "freeze", "lora_dora", "dtype", "attention", "deterministic",
)  # fmt: skip
MAX_RUNS_READ = 30

# Floating-point operations per second of training. CPU: measured with a 60 M model on one core of the development
# machine (71 full, 80 lora; 2026-11-24). GPU: dense bfloat16 peak of the manufacturers' data sheets times a guessed
# share; not measured on a GPU.
CPU_CORE_FLOPS = 70e9
GPU_SHARE = 0.25
GPU_PEAK_FLOPS = {
    "H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "A10": 125e12, "L4": 121e12, "RTX 5090": 210e12,
    "RTX 4090": 165e12, "RTX 4080": 97e12, "RTX 4070": 58e12, "RTX 3090": 71e12, "RTX 3080": 60e12, "A6000": 155e12,
}  # fmt: skip


@dataclass(frozen=True)
class Throughput:
    """Frames trained per second, and the source of the figure."""

    frames_per_s: float
    source: str


def estimate_throughput(
    params: Params, dims: ModelDims, memory: MemoryBudget, settings: Settings, n_cores: int
) -> Throughput | None:
    """Estimate the throughput of a run; None for an unknown GPU."""
    earlier = _find_earlier_run(params, settings)
    if earlier is not None:
        return earlier
    per_frame = operations_per_frame(params, dims)
    if memory.device == "cpu":
        return Throughput(
            CPU_CORE_FLOPS * n_cores / per_frame, f"arithmetic at {CPU_CORE_FLOPS / 1e9:.0f} GFLOP/s a core"
        )
    found = next((name for name in GPU_PEAK_FLOPS if name in memory.name), None)
    if found is None:
        return None
    rate = GPU_PEAK_FLOPS[found] * GPU_SHARE * params.n_processes
    return Throughput(rate / per_frame, f"arithmetic at {GPU_SHARE:.0%} of a {found}'s peak, a guess")


def operations_per_frame(params: Params, dims: ModelDims) -> float:
    """Count the floating-point operations of a frame: two per weight and position forward, as many for the gradients of
    inputs and of weights each, and the forward ones again with checkpointing. Text and padding are ignored.
    """
    recipe = build_recipe(params)
    again = 2 if recipe.gradient_checkpointing else 0
    talker = 2 + again + (0 if recipe.freeze == "talker" else 2) + (2 if recipe.method == "full" else 0)
    learns = recipe.method == "full" and recipe.freeze != "code_predictor"
    predictor = 4 + again + (2 if learns else 0)
    heads = (N_CODEBOOKS - 1) * dims.codebook * dims.predictor.hidden
    all_codebooks = N_CODEBOOKS * dims.predictor.matrices + heads + N_CODEBOOKS * dims.projection_to_predictor
    head = dims.vocabulary * dims.talker.hidden
    return talker * (dims.talker.matrices + head) + predictor * all_codebooks * params.predictor_share


def _find_earlier_run(params: Params, settings: Settings) -> Throughput | None:
    """Return the throughput of the newest run in this home with the same speed parameters."""
    folders = sorted((settings.home / "jobs").glob("training-*"), key=lambda folder: folder.name, reverse=True)
    for folder in folders[:MAX_RUNS_READ]:
        try:
            ran = json.loads((folder / "job.json").read_text(encoding="utf-8"))["params"]
        except (OSError, ValueError, KeyError):
            continue
        defaults = {name: Params.model_fields[name].default for name in SPEED_PARAMETERS}
        if all(ran.get(name, defaults[name]) == getattr(params, name) for name in SPEED_PARAMETERS):
            rate = _last_rate(folder)
            if rate is not None:
                return Throughput(rate, f"run {folder.name} on this machine")
    return None


def _last_rate(folder: Path) -> float | None:
    """Read the newest ``frames_per_s`` of a job's progress."""
    for attempt in sorted(folder.glob("attempt-*"), reverse=True):
        for report in newest_reports(attempt / "progress.jsonl"):
            rate = (report.get("metrics") or {}).get("frames_per_s", 0)
            if rate > 0:
                return float(rate)
    return None
