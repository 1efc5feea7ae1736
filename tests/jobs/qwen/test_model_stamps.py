"""Another file in the place of one of a model is noticed, and so is one that is still being written."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.qwen.model_stamps import check_unchanged, hash_stamps, is_still, read_stamps

FILES = ("config.json", "model.safetensors", "speech_tokenizer/model.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
        os.utime(path, (1000, 1000))
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_each_file_counts(folder: Path, name: str) -> None:
    before = read_stamps(folder)
    check_unchanged(folder, before)

    (folder / name).write_text("[]")

    assert hash_stamps(read_stamps(folder)) != hash_stamps(before)
    with pytest.raises(UserError) as refused:
        check_unchanged(folder, before)
    assert refused.value.code == "model_changed"


def test_a_copy_elsewhere_has_the_same_stamps_and_other_files_do_not_count(folder: Path, tmp_path: Path) -> None:
    before = read_stamps(folder)
    (folder / "notes.txt").write_text("a")

    assert read_stamps(folder) == before
    assert [name for name, _, _ in before] == sorted(FILES)


@pytest.mark.parametrize(("age_s", "expected"), [(0.2, False), (5, True), (-3600, True)])
def test_files_are_still_a_second_after_they_were_written_or_by_another_clock(
    folder: Path, age_s: float, expected: bool
) -> None:
    at = time.time() - age_s
    os.utime(folder / "model.safetensors", (at, at))

    assert is_still(read_stamps(folder)) is expected
