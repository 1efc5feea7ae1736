"""Proposals of points: Optuna's samplers and distributions, and a comparison of points by memory."""

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from jobs.param_types import Value
from jobs.tune_hparams.search_space import Range

STARTUP_TRIALS = 4  # random trials before the sampler fits a model; few, since a search has about twelve
# A larger value of these never takes less memory; all other arguments must be equal for a comparison.
MEMORY_PARAMS = frozenset({"batch_size", "batch_tokens", "lora_r", "predictor_share", "n_processes", "speaker_clips"})
MEMORY_NEUTRAL = frozenset(
    {"lr", "weight_decay", "warmup_steps", "lr_schedule", "max_grad_norm", "code_predictor_weight", "lora_alpha",
     "lora_dropout", "lora_rslora", "seed", "gradient_accumulation_steps"}
)  # fmt: skip

Point = dict[str, Value]


def make_sampler(name: str, seed: int) -> BaseSampler:
    """Make the sampler ``tpe``, ``gp`` or ``random``."""
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "gp":
        return GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
    return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True)


def to_distribution(found: Range) -> BaseDistribution:
    """Convert a range to Optuna's distribution."""
    if found.choices:
        return CategoricalDistribution(tuple(found.choices))
    low, high = found.bounds
    if found.is_whole:
        return IntDistribution(int(low), int(high), log=found.log)
    return FloatDistribution(low, high, log=found.log)


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
