"""The model of people's opinions: used when it certainly beats the rating, and not otherwise."""

from __future__ import annotations

import random

import pytest

from jobs.rating.calibration import MIN_OPINIONS, Judgement, calibrate


def scored(n: int, weight: float, seed: int = 1, n_texts: int = 12) -> list[Judgement]:
    """Scores that follow ``voice`` with a weight, and the rating with the rest."""
    rng = random.Random(seed)
    found = []
    for number in range(n):
        plain, voice = rng.gauss(3.5, 0.8), rng.gauss(0.5, 0.2)
        said = 3.0 + (1 - weight) * (plain - 3.5) + weight * 4 * (voice - 0.5) + rng.gauss(0, 0.2)
        features = {"uncapped": plain, "voice": voice, "sound": rng.random(), "timing": None}
        found.append(Judgement(f"text {number % n_texts}", features, said))
    return found


def test_a_model_that_hears_what_people_hear_is_used_and_predicts_other_takes() -> None:
    model = calibrate(scored(60, 0.9), "scores", {})

    assert model is not None
    assert model.is_used
    assert model.model_error < 0.6 * model.plain_error
    assert (model.model_spearman or 0) > 0.8
    assert (model.n, model.n_texts, set(model.weights)) == (60, 12, {"uncapped", "voice", "sound"})
    others = scored(20, 0.9, seed=2)
    assert [model.predict(each.features) for each in others] == pytest.approx([each.said for each in others], abs=0.9)


@pytest.mark.parametrize("seed", range(8))
def test_a_model_that_only_repeats_the_rating_is_not_used(seed: int) -> None:
    model = calibrate(scored(40, 0.0, seed), "scores", {})

    assert model is not None
    assert not model.is_used
    assert model.low <= 0


def test_scores_that_follow_no_instrument_leave_the_rating_as_it_is() -> None:
    rng = random.Random(3)
    random_scores = [Judgement(each.text, each.features, rng.uniform(1, 5)) for each in scored(60, 0.5)]
    model = calibrate(random_scores, "scores", {})

    assert model is not None
    assert not model.is_used


def test_few_opinions_or_texts_make_no_model() -> None:
    assert calibrate(scored(MIN_OPINIONS - 1, 0.9), "scores", {}) is None
    assert calibrate(scored(60, 0.9, n_texts=4), "scores", {}) is None
    assert calibrate([], "votes", {}) is None


def test_votes_are_modelled_by_differences_and_put_on_the_scale_of_the_rating() -> None:
    takes = scored(160, 0.9)
    pairs = [
        Judgement(
            one.text,
            {
                name: None if value is None else value - (other.features[name] or 0.0)
                for name, value in one.features.items()
            },
            float(one.said > other.said),
        )
        for one, other in zip(takes[::2], takes[1::2], strict=True)
    ]
    model = calibrate(pairs, "votes", {"uncapped": 3.5, "voice": 0.5, "sound": 0.5})

    assert model is not None
    assert model.is_used
    low, middle, high = (model.predict({"uncapped": 3.5, "voice": voice, "sound": 0.5}) for voice in (0.2, 0.5, 0.8))
    assert low < 3.4 < middle == 3.5 < 3.6 < high


def test_the_same_opinions_give_the_same_model() -> None:
    assert calibrate(scored(45, 0.6), "scores", {}) == calibrate(scored(45, 0.6), "scores", {})
