"""Searches of a problem with a known optimum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from jobs.tune_hparams.study import Study
from tests.support.toy.search import RANGES, run_trials


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., Study]:
    """Search the toy problem: ``search(seed, sampler=..., n_trials=12)``; with a name on disk, else in memory."""

    def run(seed: int, *, sampler: str = "tpe", n_trials: int = 12, name: str = "") -> Study:
        storage = None if name else InMemoryStorage()
        study = Study(tmp_path / f"{name}-{seed}.db", RANGES, sampler=sampler, seed=seed, storage=storage)
        return run_trials(study, seed, n_trials)

    return run
