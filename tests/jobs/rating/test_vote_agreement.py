"""Votes of people beside the automatic rating of the same takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.rating.human_ratings import Vote, wilson_interval
from jobs.rating.vote_agreement import compare_with_ratings


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
