"""Pruning: a trial whose loss is worse than that of others at the same step is stopped."""

from pathlib import Path

from jobs.tune_hparams.study import Study, TrialOutcome
from tests.support.toy.search import RANGES


def test_a_trial_worse_than_the_median_is_stopped(tmp_path: Path) -> None:
    study = Study(tmp_path / "study.db", RANGES, seed=0, compare_from_step=10)
    for loss in (3.0, 3.1, 3.2):
        trial = study.ask()
        study.report(trial.number, 10, loss)
        study.tell(trial.number, TrialOutcome("complete", loss))
    good, bad = study.ask(), study.ask()
    study.report(good.number, 10, 2.9)
    study.report(bad.number, 5, 9.0)
    assert not study.should_stop(bad.number)  # too early
    study.report(bad.number, 10, 4.0)
    study.report(bad.number, 10, 1.0)  # what was seen once counts

    assert not study.should_stop(good.number)
    assert study.should_stop(bad.number)


def test_pruning_goes_by_the_loss_also_where_the_score_is_searched(tmp_path: Path) -> None:
    study = Study(tmp_path / "study.db", RANGES, seed=0, compare_from_step=10, objective="audio")
    for loss in (3.0, 3.1, 3.2):
        trial = study.ask()
        study.report(trial.number, 10, loss)
        study.tell(trial.number, TrialOutcome("complete", loss, score=loss / 10))
    good, bad = study.ask(), study.ask()
    study.report(good.number, 10, 2.9)
    study.report(bad.number, 10, 4.0)

    assert not study.should_stop(good.number)
    assert study.should_stop(bad.number)
    assert study.best.number == 2  # of the highest score, not of the lowest loss
