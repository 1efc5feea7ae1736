"""Tags of recordings: counted before a library reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.audio.clip_io import read_clip
from jobs.audio.decoding import check_container
from jobs.audio.tag_check import MOST_TAGS
from jobs.errors import UserError
from jobs.settings import PROJECT_ROOT
from tests.support.hostile import tags
from tests.support.hostile.limits import within_limits
from tests.support.hostile.recordings import encode


@pytest.mark.parametrize("name", tags.BUILDERS)
def test_tags_that_no_recording_needs_are_refused_within_limits(tmp_path: Path, name: str) -> None:
    path = tags.BUILDERS[name](tmp_path)

    with within_limits(), pytest.raises(UserError, match="tags") as refused:
        check_container(path)

    assert refused.value.code == "audio_unreadable"


@pytest.mark.parametrize(
    "content",
    [
        tags.id3(*map(tags.text, range(1000))) + tags.MP3 * 50,
        tags.id3(tags.compressed(b"TXXX", 1000), version=4) + tags.ADTS * 200,
        tags.id3(b"TT2\0\0\x02\0a" * 3, version=2) + tags.MP3 * 50,
        tags.flac(MOST_TAGS - 10), tags.opus(300), tags.matroska(300),
        b"ID3", b"ID3\4\0\0\xff\xff\xff\xff", b"fLaC", b"OggS", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x01", b"\xff",
    ],
)  # fmt: skip
def test_other_tags_are_left_to_the_library(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)

    assert check_container(tmp_path / "a") is False


@pytest.mark.parametrize(
    ("name", "codec"), [("a.flac", "flac"), ("a.mp3", "mp3"), ("a.opus", "libopus"), ("a.mkv", "aac")]
)
def test_a_recording_with_ordinary_tags_is_read(tmp_path: Path, name: str, codec: str) -> None:
    encode(tmp_path / name, codec, title="The Book", artist="A Narrator")

    assert len(read_clip(tmp_path / name, 24_000)) >= 4_800


def test_an_audiobook_is_read() -> None:
    assert check_container(PROJECT_ROOT / "samples" / "fables.m4b") is True
