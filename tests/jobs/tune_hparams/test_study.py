"""Study of a search: it finds a known optimum, survives restarts and avoids points that ran out of memory."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from jobs.errors import UserError
from jobs.tune_hparams.html_report import describe_values
from jobs.tune_hparams.memory_comparison import needs_as_much_memory
from jobs.tune_hparams.objective import TrialValues
from jobs.tune_hparams.proposals import to_distribution
from jobs.tune_hparams.search_space import Point, Range
from jobs.tune_hparams.study import Study, TrialOutcome, count_ends, read_values
from tests.support.toy.search import BEST_LR, RANGES

Search = Callable[..., Study]
FOUND = 0.3  # decades: a factor of two


def distance(study: Study) -> float:
    """Decades between the best trial's rate and the optimum."""
    assert study.best is not None
    return abs(math.log10(study.best.params["lr"] / BEST_LR))


def test_twelve_trials_find_the_rate_and_beat_random_search(search: Search) -> None:
    seeds = range(10)

    found = [search(seed) for seed in seeds]
    random = [search(seed, sampler="random") for seed in seeds]

    assert sum(distance(study) < FOUND for study in found) >= 9
    assert sum(study.best.value for study in found) < sum(study.best.value for study in random)
    assert sum(map(distance, found)) < sum(map(distance, random))


def test_a_gaussian_process_finds_it_too(search: Search) -> None:  # slower: `./run.sh bench search` has all ten seeds
    assert distance(search(0, sampler="gp")) < FOUND


def test_a_search_that_stops_after_every_trial_proposes_the_same(search: Search) -> None:
    whole = search(3, name="whole")
    for n_trials in range(1, 13):
        study = search(3, name="in-parts", n_trials=n_trials)

    assert [trial.params for trial in study.trials] == [trial.params for trial in whole.trials]
    assert study.best.value == whole.best.value


def test_the_study_is_optunas_own(search: Search) -> None:
    study = search(0, n_trials=2, name="on-disk")

    loaded = optuna.load_study(study_name=None, storage=f"sqlite:///{study.path}")

    assert [trial.value for trial in loaded.trials] == [trial.value for trial in study.trials]
    with sqlite3.connect(study.path) as database:
        assert database.execute("SELECT count(*) FROM trials").fetchone() == (2,)


def test_a_point_that_ran_out_of_memory_is_kept_and_nothing_as_large_is_proposed(tmp_path: Path) -> None:
    ranges = [Range(name="batch_size", choices=[1, 2, 4, 8]), Range(name="lora_r", choices=[16, 32]),
              Range(name="lr", low=1e-6, high=1e-4, log=True)]  # fmt: skip
    study = Study(tmp_path / "study.db", ranges, seed=1, storage=InMemoryStorage())

    def end(point: Point) -> TrialOutcome:
        if int(point["batch_size"]) * int(point["lora_r"]) >= 64:
            return TrialOutcome("out_of_memory", detail="the card is full")
        return TrialOutcome("complete", 5 - float(point["batch_size"]))  # the optimum is beyond the limit

    tried: list[Point] = []
    too_large: list[Point] = []
    for _ in range(30):
        trial = study.ask()
        assert trial is not None
        assert not any(needs_as_much_memory(trial.params, other) for other in too_large)
        outcome = end(trial.params)
        too_large += [dict(trial.params)] if outcome.end == "out_of_memory" else []
        tried.append(dict(trial.params))
        study.tell(trial.number, outcome)

    assert too_large
    assert len(study.finished) == 30
    assert study.best.params["batch_size"] == 2 or study.best.params["batch_size"] * study.best.params["lora_r"] < 64
    kept = [trial for trial in study.trials if trial.user_attrs.get("end") == "out_of_memory"]
    assert [trial.params for trial in kept] == too_large
    assert {trial.state for trial in kept} == {TrialState.PRUNED}


def test_points_that_cannot_fit_are_never_started_and_a_space_without_others_ends(tmp_path: Path) -> None:
    ranges = [Range(name="batch_size", choices=[4, 8])]
    study = Study(tmp_path / "study.db", ranges, seed=0, storage=InMemoryStorage())

    fitting = [study.ask(lambda point: "too large" if point["batch_size"] == 8 else None) for _ in range(5)]

    assert {trial.params["batch_size"] for trial in fitting if trial} == {4}
    assert study.ask(lambda point: "too large") is None
    assert study.finished == []  # none has ended, none that could not fit counts


def test_recommended_points_come_first_and_only_once(tmp_path: Path) -> None:
    point: dict[str, bool | int | float | str] = {"lr": 5e-6, "gradient_accumulation_steps": 16}
    for _ in range(2):  # the second time it runs already
        study = Study(tmp_path / "study.db", RANGES, seed=0)
        study.enqueue([point])
        trial = study.ask()
        assert trial is not None

    first, second = study.trials
    assert {name: first.params[name] for name in point} == point
    assert second.params["lr"] != point["lr"]


def test_a_trial_cut_off_while_it_was_proposed_is_proposed_again(tmp_path: Path) -> None:
    study = Study(tmp_path / "study.db", RANGES, seed=0)
    study.enqueue([{"lr": 2e-5}])
    study.study.ask({"lr": optuna.distributions.FloatDistribution(1e-6, 1e-3, log=True)})  # killed before the others

    again = Study(tmp_path / "study.db", RANGES, seed=0)
    again.discard_incomplete()
    trial = again.ask()

    assert trial is not None
    assert trial.params["lr"] == 2e-5
    assert set(trial.params) == {found.name for found in RANGES}
    assert [one.number for one in again.running] == [1]


def test_two_objectives_have_a_front_a_best_by_the_rule_and_no_pruning(tmp_path: Path) -> None:
    study = Study(tmp_path / "study.db", RANGES, seed=0, compare_from_step=1, objective="both")
    for loss, score in ((3.0, 0.70), (3.1, 0.74), (2.0, 0.2), (3.5, 0.72)):
        trial = study.ask()
        study.report(trial.number, 10, loss)
        assert not study.should_stop(trial.number)
        study.tell(trial.number, TrialOutcome("complete", loss, score=score))
    wall = study.ask()
    study.tell(wall.number, TrialOutcome("diverged", detail="loss is not a number"))
    after = study.ask()

    assert after is not None  # the sampler takes a trial without values
    assert sorted(trial.number for trial in study.study.best_trials) == [0, 1, 2]
    assert study.best.number == 0  # trial 1 has the best score by an insignificant margin, and a higher loss


def test_where_a_point_is_from_is_kept_with_its_trial(tmp_path: Path) -> None:
    study = Study(tmp_path / "study.db", RANGES, seed=0)

    study.enqueue([{"lr": 5e-6}, {"lr": 2e-6}], ["https://example.org/recipe", ""])
    first, second = study.ask(), study.ask()

    assert (first.params["lr"], first.user_attrs["source"]) == (5e-6, "https://example.org/recipe")
    assert (second.params["lr"], second.user_attrs.get("source")) == (2e-6, None)


def test_another_searchs_study_is_not_mixed_in(tmp_path: Path) -> None:
    Study(tmp_path / "study.db", RANGES, identity={"manifest": "a"})

    with pytest.raises(UserError) as refused:
        Study(tmp_path / "study.db", RANGES, identity={"manifest": "b"})

    assert refused.value.code == "out_dir_taken"


def test_a_study_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    old = optuna.create_study(study_name="tune_hparams", storage=url, directions=["minimize"])
    old.set_user_attr("identity", {"manifest": "a"})
    heard = {"score": 0.8, "rating": 4.0, "stop_rate": 1.0, "intelligibility": 0.9, "voice": 0.7, "n_takes": 6}
    distributions = {found.name: to_distribution(found) for found in RANGES}
    point = {"lr": 1e-5, "weight_decay": 0.0, "gradient_accumulation_steps": 8}
    for end, state, value in (("complete", TrialState.COMPLETE, 4.2), ("pruned", TrialState.PRUNED, None)):
        attributes = {"end": end, "detail": "", "validation_loss": value, "audio_score": 0.8, "heard": heard}
        old.add_trial(
            optuna.trial.create_trial(
                params=point, distributions=distributions, value=value, user_attrs=attributes, state=state
            )
        )

    study = Study(tmp_path / "study.db", RANGES, identity={"manifest": "a"})

    assert count_ends(study.finished) == {"complete": 1, "pruned": 1}
    assert study.best.number == 0
    assert read_values(study.best) == TrialValues(0, 4.2, 0.8)
    assert describe_values(study.best).startswith("audio score 0.800 (rating 4.00, 100% stop")
    assert study.ask().number == 2


def planted(path: Path, **attributes: object) -> None:
    """Write a study with a finished trial of these attributes."""
    study = optuna.create_study(study_name="tune_hparams", storage=f"sqlite:///{path}", directions=["minimize"])
    study.set_user_attr("identity", {"manifest": "a"})
    trial = study.ask({"lr": optuna.distributions.FloatDistribution(1e-6, 1e-3, log=True)})
    for name, value in attributes.items():
        trial.set_user_attr(name, value)
    study.tell(trial, 1.0)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"validation_loss": "low", "end": "complete"},
        {"validation_loss": 1.0, "end": "won"},
        {"validation_loss": 1.0, "end": ["complete"]},
        {"validation_loss": 1.0, "end": "complete", "job": "../../elsewhere"},
        {"validation_loss": 1.0, "end": "complete", "detail": {"a": 1}},
        {"validation_loss": 1.0, "end": "complete", "heard": {"rating": 1}},
    ],
)
def test_a_study_that_no_search_wrote_is_refused(tmp_path: Path, attributes: dict[str, object]) -> None:
    planted(tmp_path / "study.db", **attributes)

    with pytest.raises(UserError, match="no search wrote") as refused:
        Study(tmp_path / "study.db", RANGES, identity={"manifest": "a"})

    assert refused.value.code == "out_dir_taken"


def test_a_study_without_an_identity_that_has_trials_is_not_taken_over(tmp_path: Path) -> None:
    planted(tmp_path / "study.db", validation_loss=1.0, end="complete")
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("DELETE FROM study_user_attributes")

    with pytest.raises(UserError, match="another manifest"):
        Study(tmp_path / "study.db", RANGES, identity={"manifest": "a"})


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.db").write_bytes(content)

    with pytest.raises(UserError, match="cannot be opened as a study") as refused:
        Study(tmp_path / "study.db", RANGES)

    assert refused.value.code == "out_dir_taken"


def test_a_study_with_other_tables_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("CREATE TABLE studies (a TEXT)")

    with pytest.raises(UserError, match="cannot be opened as a study"):
        Study(tmp_path / "study.db", RANGES)


def test_a_study_that_another_program_holds_is_an_input_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.db"
    study = Study(path, RANGES)
    monkeypatch.setattr("jobs.tune_hparams.study.LOCK_WAIT_S", 0.01)
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(UserError) as opened:
            Study(path, RANGES)

    assert opened.value.code == "study_locked"
    assert "the same call goes on" in opened.value.hint
    assert study.ask() is not None
