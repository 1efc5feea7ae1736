"""A search problem with a known optimum: a small learning rate under-fits, a large one over-fits."""

from __future__ import annotations

import math

import numpy as np

from jobs.tune_hparams.search_space import Point, Range
from jobs.tune_hparams.study import Study, TrialOutcome

RANGES = [
    Range(name="lr", low=1e-6, high=1e-3, log=True),
    Range(name="weight_decay", low=0.0, high=0.1),
    Range(name="gradient_accumulation_steps", choices=[8, 16, 32]),
]
BEST_LR = 5e-5


def toy_loss(point: Point, rng: np.random.Generator) -> float:
    """Return the validation loss of a trial in nats: 4 at the optimum, noise of a hundredth."""
    decades = math.log10(float(point["lr"]) / BEST_LR)
    of_lr = (0.8 if decades < 0 else 2.0) * decades**2
    of_batch = {8: 0.0, 16: 0.03, 32: 0.08}[int(point["gradient_accumulation_steps"])]
    return 4 + of_lr + 0.2 * abs(float(point["weight_decay"]) - 0.01) + of_batch + float(rng.normal(0, 0.01))


def run_trials(study: Study, seed: int, n_trials: int) -> Study:
    """Propose and complete trials until the study has ``n_trials``."""
    for number in range(len(study.finished), n_trials):
        trial = study.ask()
        assert trial is not None
        loss = toy_loss(trial.params, np.random.default_rng([seed, number]))
        study.tell(trial.number, TrialOutcome("complete", loss))
    return study
