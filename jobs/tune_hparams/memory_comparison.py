"""Comparison of points by GPU memory: a point that needs as much as one that ran out of it is not tried."""

from collections.abc import Iterable

from optuna.trial import FrozenTrial

from jobs.tune_hparams.search_space import Point

# A larger value of these never takes less memory; all other arguments must be equal for a comparison.
MEMORY_PARAMS = frozenset({"batch_size", "batch_tokens", "lora_r", "predictor_share", "n_processes", "speaker_clips"})
MEMORY_NEUTRAL = frozenset(
    {"lr", "weight_decay", "warmup_steps", "lr_schedule", "max_grad_norm", "code_predictor_weight", "lora_alpha",
     "lora_dropout", "lora_rslora", "seed", "gradient_accumulation_steps"}
)  # fmt: skip


def find_reason_too_large(point: Point, trials: Iterable[FrozenTrial]) -> str | None:
    """Return a reason if a point needs at least the memory of a trial that ran out of it."""
    for trial in trials:
        if trial.user_attrs.get("end") == "out_of_memory" and needs_as_much_memory(point, dict(trial.params)):
            return f"trial {trial.number} ran out of memory, and this point needs as much or more"
    return None


def needs_as_much_memory(point: Point, other: Point) -> bool:
    """Return True if a point certainly needs at least the memory of another."""
    for name, value in other.items():
        if name in MEMORY_NEUTRAL:
            continue
        own = point[name]
        is_comparable = name in MEMORY_PARAMS and not isinstance(value, str) and not isinstance(own, str)
        if not (own >= value if is_comparable else own == value):  # type: ignore[operator]
            return False
    return True
