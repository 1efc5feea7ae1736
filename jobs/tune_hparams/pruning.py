"""Pruning: a trial is stopped early if its loss is worse than the median of the complete trials at the same step.

Trials with both objectives are never pruned: Optuna compares intermediate values of one objective only.
"""

from collections.abc import Container

from optuna.pruners import MedianPruner
from optuna.trial import Trial

from jobs.tune_hparams.objective import Objective

PRUNE_AFTER = 3  # complete trials to compare with


def make_pruner(compare_from_step: int) -> MedianPruner:
    """Make the pruner; it stops no trial before this step."""
    return MedianPruner(n_startup_trials=PRUNE_AFTER, n_warmup_steps=compare_from_step)


def report_loss(trial: Trial, step: int, loss: float, *, objective: Objective, known_steps: Container[int]) -> None:
    """Store an intermediate loss, once for each step.

    If the study maximises the score, Optuna maximises intermediate values too: then the negated loss is stored.
    """
    if objective != "both" and step not in known_steps:
        trial.report(-loss if objective == "audio" else loss, step)


def should_prune(trial: Trial, objective: Objective) -> bool:
    """Return True if the trial should be stopped now."""
    return objective != "both" and trial.should_prune()
