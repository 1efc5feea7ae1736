"""Tables of an MP4 that name more than the file holds, and long recordings of PCM that do not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from jobs.audio.mp4_check import check_tables
from jobs.audio.recording import Recording
from jobs.errors import UserError
from tests.support.hostile import recordings

HOUR = 24_000 * 3_600


def check(path: Path, size: int) -> bool:
    """Check a file that is made so long; it takes no space."""
    with path.open("rb+") as stream:
        stream.truncate(size)
    with path.open("rb") as stream:
        return check_tables(path, stream, size)


@pytest.mark.parametrize("bytes_of_frame", [1, 2])
def test_frames_of_pcm_are_no_packets(tmp_path: Path, bytes_of_frame: int) -> None:
    path = recordings.mp4(
        entry=b"sowt", n_packets=HOUR, packet_units=1, packet_bytes=bytes_of_frame, per_chunk=HOUR
    )(tmp_path)  # fmt: skip

    assert check(path, HOUR * 2 + 1_000)
    with pytest.raises(UserError, match="more than its"):
        check(path, HOUR * bytes_of_frame - 1)


@pytest.mark.parametrize(
    "tables",
    [
        {"packet_units": 1024, "packet_bytes": 1},
        {"packet_units": 1, "packet_bytes": 0},
        {"packet_bytes": 1, "stts": struct.pack(">IIIIII", 0, 2, 1, 1, 1, 2)},
    ],
)
def test_packets_of_a_size_of_their_own_or_of_many_units_are_counted(tmp_path: Path, tables: dict[str, object]) -> None:
    path = recordings.mp4(n_packets=HOUR, **tables)(tmp_path)

    with pytest.raises(UserError, match="names 86,400,000 packets"):
        check(path, HOUR * 2)


def test_a_recording_of_pcm_in_quicktime_is_read(tmp_path: Path) -> None:
    path = recordings.encode(tmp_path / "a.mov", "pcm_s16le", n_samples=48_000)

    assert sum(len(block.samples) for block in Recording(path).blocks()) == 48_000
