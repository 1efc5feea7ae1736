"""Votes of people beside the automatic rating of the same takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.rating.human_ratings import HumanRating, Opinions, Vote, wilson_interval
from jobs.rating.vote_agreement import compare_opinions, compare_scores, compare_with_ratings, spearman


def rate(folder: Path, **ratings: float) -> None:
    folder.mkdir(exist_ok=True)
    takes = [{"audio": f"{name}.wav", "rating": min(4.5, value), "uncapped": value} for name, value in ratings.items()]
    (folder / "ratings.json").write_text(json.dumps({"takes": takes}))


def vote(number: str, winner: str) -> Vote:
    return Vote.model_validate(
        {"audio": f"{number}.wav", "against": f"../b/{number}.wav", "text": "x", "winner": winner, "at": 1}
    )


def test_a_vote_agrees_when_its_winner_is_rated_higher(tmp_path: Path) -> None:
    rate(tmp_path / "a", x=4.7, y=3.0, z=2.0, same=3.0)
    rate(tmp_path / "b", x=4.6, y=3.5, z=2.5, same=3.0)
    votes = [vote("x", "audio"), vote("y", "audio"), vote("z", "against"), vote("same", "audio"), vote("?", "audio"),
             vote("x", "tie")]  # fmt: skip
    votes[-1] = votes[-1].model_copy(update={"who": "Bob"})

    found = compare_with_ratings({tmp_path / "a": votes})

    assert found is not None
    assert (found.n_votes, found.n_agreeing, found.share) == (3, 2, pytest.approx(2 / 3))
    assert (found.low, found.high) == wilson_interval(2, 3)


def test_without_ratings_nothing_is_compared(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert compare_with_ratings({tmp_path / "a": [vote("x", "audio")]}) is None
    (tmp_path / "a" / "ratings.json").write_text("[]")
    assert compare_with_ratings({tmp_path / "a": [vote("x", "audio")]}) is None


def test_ranks_that_agree_disagree_or_are_tied() -> None:
    assert spearman([1, 2, 3, 4, 5], [10, 20, 30, 40, 50]) == 1.0
    assert spearman([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]) == -1.0
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.949, abs=0.001)  # as scipy.stats.spearmanr
    assert spearman([3, 3, 3], [1, 2, 3]) is None


def test_scores_are_compared_by_rank_and_by_pairs() -> None:
    found = compare_scores([1, 2, 3, 4, 5, 5], [2.0, 1.0, 3.5, 3.5, 4.5, 4.0])

    assert (found.n_takes, found.spearman) == (6, pytest.approx(0.912, abs=0.001))
    assert (found.low or 0) < 0.912 < (found.high or 0)
    assert (found.n_pairs, found.pair_share) == (14, round(12.5 / 14, 3))  # one in the wrong order, one tied rating


def test_few_scores_have_no_rank_correlation() -> None:
    found = compare_scores([1, 2, 3], [1.0, 2.0, 3.0])

    assert (found.spearman, found.low, found.high, found.pair_share) == (None, None, None, 1.0)


def test_scores_stored_beside_rated_takes_are_compared(tmp_path: Path) -> None:
    rate(tmp_path / "a", x=4.7, y=3.0)
    scores = [HumanRating(audio=f"{name}.wav", text="t", score=score, at=1) for name, score in (("x", 5), ("y", 2))]

    found = compare_opinions({tmp_path / "a": Opinions(tuple(scores))})

    assert found is not None
    assert (found.n_takes, found.pair_share) == (2, 1.0)
    assert compare_opinions({tmp_path / "none": Opinions()}) is None


def test_ratings_of_this_run_count_before_those_of_a_file(tmp_path: Path) -> None:
    rate(tmp_path / "a", x=1.0)
    rate(tmp_path / "b", x=3.0)

    fresh = {(tmp_path / "a" / "x.wav").resolve(): 4.0}

    assert compare_with_ratings({tmp_path / "a": [vote("x", "audio")]}, fresh).share == 1.0
    assert compare_with_ratings({tmp_path / "a": [vote("x", "audio")]}).share == 0.0
