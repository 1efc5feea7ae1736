"""A file is there as a whole or as it was before."""

from pathlib import Path

import pytest

from jobs.files import write_json, write_text


def test_what_was_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"voice": "Zoë"})

    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "voice": "Zoë"\n}'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_writer_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    with pytest.raises(TypeError):
        write_json(tmp_path / "a.txt", {"begins": 1, "cannot be written": object()})

    assert (tmp_path / "a.txt").read_text() == "old"
