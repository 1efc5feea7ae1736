"""Optuna's samplers and the distributions that they draw from."""

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from jobs.tune_hparams.search_space import Range

STARTUP_TRIALS = 4  # random trials before the sampler fits a model; few, since a search has about twelve


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
