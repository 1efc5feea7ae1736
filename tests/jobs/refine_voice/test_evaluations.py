"""The files of a round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.refine_voice.evaluations import EVALUATION, link_takes, read_decided_rating


def test_takes_that_have_their_second_name_already_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "001.wav").write_bytes(b"sound")
    take = {"audio": "001.wav", "text": "hello", "duration_s": 1.0}
    (tmp_path / "takes.jsonl").write_text(json.dumps(take) + "\n")

    for _ in range(2):  # the second time after a kill
        link_takes(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"001.wav", "takes.jsonl", "eval_00.wav"}
    assert (tmp_path / "eval_00.wav").read_bytes() == b"sound"


def test_a_take_outside_gets_no_second_name(tmp_path: Path) -> None:
    (tmp_path / "round").mkdir()
    (tmp_path / "secret.wav").write_bytes(b"secret")
    (tmp_path / "round" / "takes.jsonl").write_text('{"audio": "../secret.wav"}\n')

    with pytest.raises(UserError) as caught:
        link_takes(tmp_path / "round")

    assert caught.value.code == "path_outside_dataset"
    assert not (tmp_path / "round" / "eval_00.wav").exists()


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "1", '{"job": "x", "average_rating": NaN}', ""])
def test_an_evaluation_that_no_round_wrote_decides_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / EVALUATION).write_text(content)

    assert read_decided_rating(tmp_path, "x") is None
