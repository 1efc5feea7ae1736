"""Agreement of a run's ratings with people, in sentences, and ratings calibrated by a model of them."""

from __future__ import annotations

import json
import random
from pathlib import Path

from jobs.rate_samples.params import Rating
from jobs.rate_samples.people import People, calibrated, describe_people, features_of, hear_people
from jobs.rating.human_ratings import HumanRating, Opinions, Vote


def takes(n: int, weight: float) -> tuple[list[Rating], Opinions]:
    """Rated takes of ten texts, and scores that follow the voice with a weight, the rating with the rest."""
    rng = random.Random(5)
    ratings, scores = [], []
    for number in range(n):
        plain, voice = rng.uniform(2, 5), rng.random()
        score = round(min(5, max(1, (1 - weight) * plain + weight * (1 + 4 * voice))))
        text = f"text {number % 10}"
        ratings.append(
            Rating(audio=f"{number}.wav", text=text, rating=min(4.5, plain), uncapped=plain, person=score, n_person=1,
                   voice=voice, reasons=[], measures={"sim": 0.9, "dull_distance": rng.random()})
        )  # fmt: skip
        scores.append(HumanRating(audio=f"{number}.wav", text=text, score=score, at=number))
    return ratings, Opinions(tuple(scores))


def test_a_report_says_how_well_the_rating_agrees_with_scores(tmp_path: Path) -> None:
    ratings, opinions = takes(12, 0.0)
    people = hear_people(ratings, opinions, tmp_path)

    assert people.calibration is None
    assert people.scores is not None
    assert (people.scores.spearman or 0) > 0.9
    (sentence,) = describe_people(people)
    assert sentence.startswith(f"Of {people.scores.n_pairs} pairs of takes that people score differently, the rating")
    assert "rank correlation 0.9" in sentence


def test_a_model_of_what_people_hear_gives_calibrated_ratings(tmp_path: Path) -> None:
    ratings, opinions = takes(50, 1.0)
    people = hear_people(ratings, opinions, tmp_path)
    shown = calibrated(ratings, people)

    assert people.calibration is not None
    assert people.calibration.is_used
    errors = [abs((each.calibrated or 0) - (each.person or 0)) for each in shown]
    assert sum(errors) / len(errors) < 0.5
    assert [(each.rating, each.uncapped) for each in shown] == [(each.rating, each.uncapped) for each in ratings]
    assert describe_people(people)[-1].startswith(
        "Calibrated ratings are shown: a model of 50 scores over the instruments"
    )


def test_a_model_that_does_not_beat_the_rating_is_reported_and_not_used(tmp_path: Path) -> None:
    ratings, opinions = takes(50, 0.0)
    people = hear_people(ratings, opinions, tmp_path)

    assert [each.calibrated for each in calibrated(ratings, people)] == [None] * 50
    assert describe_people(people)[-1].startswith("The plain rating is kept: a model of 50 scores")


def test_several_narrators_have_no_common_model(tmp_path: Path) -> None:
    ratings, opinions = takes(50, 1.0)

    assert hear_people(ratings, opinions, tmp_path, n_narrators=2).calibration is None


def test_votes_against_takes_rated_elsewhere_are_modelled_with_their_measures(tmp_path: Path) -> None:
    ratings, _ = takes(40, 0.0)
    others, _ = takes(40, 0.0)
    rng = random.Random(7)
    for each in others:
        each.voice = rng.random()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "ratings.json").write_text(json.dumps({"takes": [each.model_dump() for each in others]}))
    votes = [
        Vote(audio=one.audio, against=f"../b/{other.audio}", text=one.text, at=1,
             winner="audio" if (one.voice or 0) > (other.voice or 0) else "against")
        for one, other in zip(ratings, others, strict=True)
    ]  # fmt: skip

    people = hear_people(ratings, Opinions(votes=tuple(votes)), tmp_path / "a")

    assert people.votes is None  # both takes of each pair are rated alike
    assert people.calibration is not None
    assert (people.calibration.kind, people.calibration.n) == ("votes", 40)
    assert people.calibration.model_error < people.calibration.plain_error


def test_a_file_beside_the_takes_that_holds_no_numbers_is_no_measure() -> None:
    assert features_of({"uncapped": "5", "measures": [1]})["uncapped"] is None
    assert describe_people(People()) == []
