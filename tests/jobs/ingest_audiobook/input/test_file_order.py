"""Order of files whose names count in digits, words or Roman numerals."""

from __future__ import annotations

import random

import pytest

from jobs.ingest_audiobook.input.file_order import in_order


@pytest.mark.parametrize(
    "names",
    [
        ["Part One.mp3", "Part Two.mp3", "Part Three.mp3", "Part Four.mp3"],
        ["Book the First.mp3", "Book the Second.mp3", "Book the Third.mp3"],
        ["Emma - Volume I.mp3", "Emma - Volume IV.mp3", "Emma - Volume IX.mp3", "Emma - Volume X.mp3"],
        ["Teil eins.mp3", "Teil zwei.mp3", "Teil drei.mp3"],
        ["CD One/1.mp3", "CD One/2.mp3", "CD Two/1.mp3", "CD Three/1.mp3"],
        ["Chapter 9.mp3", "Chapter 10.mp3", "chapter 11.mp3"],
        ["Chapter nineteen.mp3", "Chapter twenty.mp3", "Chapter twenty-one.mp3"],
        ["01 The Three.mp3", "02 One.mp3"],
        ["Afterword.mp3", "One.mp3", "Two.mp3"],  # not all of them count
    ],
)
def test_files_are_in_the_order_in_which_they_are_heard(names: list[str]) -> None:
    shuffled = random.Random(1).sample(names, len(names))

    assert in_order(shuffled) == names
