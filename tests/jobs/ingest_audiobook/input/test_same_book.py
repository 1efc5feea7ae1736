"""One book in several formats in one folder: which version is read."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from jobs.audio.recording import Chapter, RecordingInfo
from jobs.ingest_audiobook.input.same_book import find_copies


@dataclass
class Described:
    info: RecordingInfo


def recording(seconds: float, n_chapters: int = 0) -> Described:
    return Described(RecordingInfo(None, None, (Chapter("A", 0, 1),) * n_chapters, seconds, 44_100, False))


@pytest.mark.parametrize(
    ("lengths", "copies"),
    [
        ({"a.mp3": 600.0, "a.flac": 600.03}, {"a.mp3"}),
        ({"1.mp3": 600.0, "2.mp3": 500.0, "1.ogg": 600.0, "2.ogg": 500.0, "1.wav": 600, "2.wav": 500},
         {"1.mp3", "2.mp3", "1.ogg", "2.ogg"}),
        ({"1.mp3": 600.0, "2.mp3": 500.0, "book.m4b": 1100.6}, {"book.m4b"}),
        ({"64kb/1.mp3": 600.0, "64kb/2.mp3": 500.0, "128kb/1.mp3": 600.0, "128kb/2.mp3": 500.0},
         {"128kb/1.mp3", "128kb/2.mp3"}),
        ({"CD1/1.mp3": 600.0, "CD1/2.mp3": 500.0, "CD2/1.mp3": 640.0, "CD2/2.mp3": 460.0}, set()),
        ({"1.mp3": 600.0, "2.m4a": 600.0}, set()),
        ({"1.mp3": 600.0, "2.mp3": 500.0, "3.m4a": 610.0}, set()),
    ],
)  # fmt: skip
def test_only_one_version_of_a_book_is_read(lengths: dict[str, float], copies: set[str]) -> None:
    found, notes = find_copies({name: recording(seconds) for name, seconds in lengths.items()})

    assert found == copies
    assert len(notes) == len({(name.rpartition("/")[0], name[-4:]) for name in copies})


def test_the_version_with_marks_of_chapters_is_read() -> None:
    versions = {"1.mp3": recording(600.0), "2.mp3": recording(500.0), "book.m4b": recording(1100.0, 2)}

    assert find_copies(versions)[0] == {"1.mp3", "2.mp3"}
