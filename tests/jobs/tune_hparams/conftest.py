"""A study of a known optimum: too small a rate learns nothing, too large a one over-fits."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from optuna.storages import InMemoryStorage

from jobs.tune_hparams.search_space import Range
from jobs.tune_hparams.study import Point, Study, TrialOutcome

RANGES = [
    Range(name="lr", low=1e-6, high=1e-3, log=True),
    Range(name="weight_decay", low=0.0, high=0.1),
    Range(name="gradient_accumulation_steps", choices=[8, 16, 32]),
]
BEST_LR = 5e-5


def toy_loss(point: Point, rng: np.random.Generator) -> float:
    """Validation loss of a trial, nats: 4 at the optimum, noise of a hundredth."""
    decades = math.log10(float(point["lr"]) / BEST_LR)
    of_lr = (0.8 if decades < 0 else 2.0) * decades**2
    of_batch = {8: 0.0, 16: 0.03, 32: 0.08}[int(point["gradient_accumulation_steps"])]
    return 4 + of_lr + 0.2 * abs(float(point["weight_decay"]) - 0.01) + of_batch + float(rng.normal(0, 0.01))


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., Study]:
    """Search the toy problem: ``search(seed, sampler=..., n_trials=12)``; with a name on disk, else in memory."""

    def run(seed: int, *, sampler: str = "tpe", n_trials: int = 12, name: str = "") -> Study:
        storage = None if name else InMemoryStorage()
        study = Study(tmp_path / f"{name}-{seed}.db", RANGES, sampler=sampler, seed=seed, storage=storage)
        for number in range(len(study.finished), n_trials):
            trial = study.ask()
            assert trial is not None
            study.tell(
                trial.number, TrialOutcome("complete", toy_loss(trial.params, np.random.default_rng([seed, number])))
            )
        return study

    return run
