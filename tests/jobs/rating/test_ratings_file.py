"""``ratings.json``: what no rating wrote is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.rating.ratings_file import read_ratings_file


@pytest.mark.parametrize("content", ["[" * 100_000 + "]" * 100_000, "[]", "{}", '{"takes": 1e400}', "\\x00"])
def test_what_no_rating_wrote_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "ratings.json").write_text(content)

    with pytest.raises(UserError) as caught:
        read_ratings_file(tmp_path / "ratings.json")

    assert caught.value.code == "manifest_unreadable"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ratings.json")

    with pytest.raises(UserError) as caught:
        read_ratings_file(tmp_path / "ratings.json")

    assert caught.value.code == "file_not_regular"
