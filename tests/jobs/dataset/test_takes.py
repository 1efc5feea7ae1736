"""Takes of strangers: what the server holds of them is bounded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.dataset import takes
from jobs.dataset.takes import read_takes
from jobs.errors import UserError
from jobs.rating import human_ratings
from jobs.rating.human_ratings import read_opinions


def test_other_fields_of_takes_and_opinions_are_not_held(tmp_path: Path) -> None:
    more = {"padding": "x" * 100_000, "deep": {"a": [1, 2]}}
    opinion = {"audio": "a.wav", "text": "One.", "at": 1.0, "score": 4, **more}
    (tmp_path / "takes.jsonl").write_text(json.dumps({"audio": "a.wav", "text": "One.", **more}) + "\n")
    (tmp_path / "human_ratings.jsonl").write_text(json.dumps(opinion) + "\n")

    (take,) = read_takes(tmp_path)
    (score,) = read_opinions(tmp_path).scores

    assert len(take.model_dump_json()) < 300
    assert len(score.model_dump_json()) < 300


def test_more_lines_than_the_server_should_hold_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takes, "MOST_TAKES", 3)
    monkeypatch.setattr(human_ratings, "MOST_OPINIONS", 3)
    opinion = {"audio": "a.wav", "text": "One.", "at": 1.0, "score": 4}
    (tmp_path / "takes.jsonl").write_text('{"audio": "a.wav"}\n' * 4)
    (tmp_path / "human_ratings.jsonl").write_text(f"{json.dumps(opinion)}\n" * 4)

    for read in (read_takes, read_opinions):
        with pytest.raises(UserError) as refused:
            read(tmp_path)

        assert refused.value.code == "file_too_large"


@pytest.mark.parametrize("field", ["model", "request", "text"])
def test_a_text_that_no_take_has_is_refused(tmp_path: Path, field: str) -> None:
    (tmp_path / "takes.jsonl").write_text(json.dumps({"audio": "a.wav", field: "x" * 100_000}) + "\n")

    with pytest.raises(UserError, match=field) as refused:
        read_takes(tmp_path)

    assert refused.value.code == "manifest_unreadable"
