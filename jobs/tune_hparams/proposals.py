"""Proposal of the next trial: Optuna's samplers, the distributions that they draw from, and the choice of a point."""

from collections.abc import Callable, Mapping

from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from jobs.tune_hparams.search_space import Point, Range

STARTUP_TRIALS = 4  # random trials before the sampler fits a model; few, since a search has about twelve
MAX_INFEASIBLE = 100  # infeasible proposals in a row: the space is exhausted


def propose_trial(
    study: Study,
    distributions: Mapping[str, BaseDistribution],
    *,
    sampler: str,
    seed: int,
    find_obstacle: Callable[[Point], str | None],
    reject: Callable[[int, str], None],
) -> int | None:
    """Start the next trial of a study and return its number; None if the space holds no further feasible point.

    Args:
        find_obstacle: returns the reason why a point cannot run, or None.
        reject: records such a trial, by number and reason.
    """
    for n_infeasible in range(MAX_INFEASIBLE):
        # a random sampler also finds points that the chosen one avoids
        name = "random" if n_infeasible > MAX_INFEASIBLE // 2 else sampler
        # seeded by the number of trials, so that a restarted search proposes the same points
        study.sampler = make_sampler(name, seed * 1_000_003 + len(study.get_trials(deepcopy=False)))
        trial = study.ask(dict(distributions))
        reason = find_obstacle(dict(trial.params))
        if reason is None:
            return trial.number
        reject(trial.number, reason)
    return None


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
