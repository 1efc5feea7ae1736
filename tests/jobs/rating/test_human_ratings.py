"""Human ratings are kept in one file and summarised with a confidence interval."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.dataset.takes import read_takes
from jobs.errors import UserError
from jobs.rating.human_ratings import (
    HUMAN_RATINGS,
    HumanRating,
    Opinions,
    Vote,
    append_durably,
    preferences,
    read_opinions,
    wilson_interval,
)


def vote(winner: str, model: str = "tuned", against: str = "clone", **changes: object) -> Vote:
    return Vote.model_validate(
        {"audio": "1.wav", "against": "2.wav", "text": "x", "winner": winner, "at": 1.0, "model": model,
         "against_model": against, **changes}
    )  # fmt: skip


def test_scores_and_votes_share_a_record_and_are_told_apart(tmp_path: Path) -> None:
    score = HumanRating(audio="1.wav", text="x", score=4, at=2.0, who="Ada")
    append_durably(tmp_path / HUMAN_RATINGS, [score, vote("tie", is_blind=True)])

    said = read_opinions(tmp_path)

    assert said.of("1.wav") == [score]
    assert said.of("2.wav") == []
    assert said.votes == (vote("tie", is_blind=True),)


def test_no_record_is_no_opinion(tmp_path: Path) -> None:
    assert read_opinions(tmp_path).scores == ()


def test_a_line_that_is_neither_names_itself(tmp_path: Path) -> None:
    (tmp_path / HUMAN_RATINGS).write_text('{"audio": "1.wav", "text": "x", "score": 9, "at": 1}\n')

    with pytest.raises(UserError, match="line 1: score"):
        read_opinions(tmp_path)


def test_a_vote_counts_for_its_model_whichever_was_named_first() -> None:
    turned = vote("against", model="clone", against="tuned", audio="c.wav")
    given = [vote("audio"), vote("audio", audio="b.wav"), turned, vote("tie", audio="d.wav")]

    (found,) = preferences(given)

    assert (found.model, found.against_model, found.n_votes, found.n_ties) == ("tuned", "clone", 4, 1)
    assert found.share == pytest.approx(3.5 / 4)


def test_a_person_may_change_his_mind() -> None:
    given = [vote("audio", who="Ada"), vote("against", who="Bob"), vote("against", who="Ada")]
    told = ((2, "Ada"), (3, "Bob"), (5, "Ada"))
    scores = tuple(HumanRating(audio="1.wav", text="x", score=score, at=1.0, who=who) for score, who in told)

    (found,) = preferences(given)

    assert (found.n_votes, found.share) == (2, 0.0)
    assert sorted(score.score for score in Opinions(scores).of("1.wav")) == [3, 5]


def test_the_interval_of_a_share_is_wilsons() -> None:
    # Wilson's interval for 8 of 10 as in Newcombe (1998), and the rule of three's neighbourhood for 0 of 10
    assert wilson_interval(8, 10) == pytest.approx((0.490, 0.943), abs=0.001)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.278), abs=0.001)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("name", ["takes.jsonl", "human_ratings.jsonl"])
def test_a_file_beside_the_takes_that_is_a_link_out_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "private.jsonl").write_text('{"audio": "a.wav", "text": "a secret"}\n')
    folder = tmp_path / "takes"
    folder.mkdir()
    (folder / name).symlink_to(tmp_path / "private.jsonl")

    with pytest.raises(UserError) as refused:
        read_opinions(folder) if name.startswith("human") else read_takes(folder)

    assert refused.value.code == "path_outside_dataset"
