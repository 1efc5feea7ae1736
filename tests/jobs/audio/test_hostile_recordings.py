"""Recordings that strangers made: read or refused, in linear time and bounded memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.audio.clip_io import read_clip
from jobs.audio.recording import Recording
from jobs.audio.recording_info import MAX_TAG
from jobs.errors import UserError
from jobs.ingest_audiobook.input.source_files import open_source_files
from jobs.settings import PROJECT_ROOT
from tests.support.hostile import recordings
from tests.support.hostile.limits import assert_linear, within_limits

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FABLES = PROJECT_ROOT / "samples" / "fables.m4b"
CODES = {"audio_unreadable", "audio_empty", "audio_no_stream", "audio_protected"}
REFUSED = {
    "WAV of 1 Hz": "audio_unreadable",
    "WAV of 4 GHz": "audio_unreadable",
    "WAV of 0 bits": "audio_unreadable",
    "WAV of 65,535 bits": "audio_unreadable",
    "WAV of 65,535 channels": "audio_unreadable",
    "WAV of 200 channels": "audio_unreadable",
    "WAV of 0 channels": "audio_unreadable",
    "WAV of an unknown format": "audio_unreadable",
    "MP4 of 400 million packets": "audio_unreadable",
    "MP4 of 4 billion packets": "audio_unreadable",
    "MP4 of 400 million packets in chunks": "audio_unreadable",
    "MP4 with many boxes": "audio_unreadable",
    "MP4 of broken packets": "audio_unreadable",
    "20,000 chapters": "audio_unreadable",
    "pipe": "file_not_regular",
}


def decode_all(path: Path) -> int:
    """Return the number of samples."""
    return sum(len(block.samples) for block in Recording(path).blocks())


def outcome(read: Callable[[Path], object], path: Path) -> str:
    """Return "read", or the code of the refusal."""
    try:
        read(path)
    except UserError as error:
        return error.code
    return "read"


@pytest.mark.parametrize("name", recordings.BUILDERS)
def test_a_hostile_recording_is_read_or_refused_within_limits(tmp_path: Path, name: str) -> None:
    path = recordings.BUILDERS[name](tmp_path)

    with within_limits():
        found = [outcome(decode_all, path), outcome(lambda path: read_clip(path, 24_000), path)]

    assert set(found) <= CODES | {"read", "file_not_regular"}
    assert found[0] == REFUSED.get(name, found[0])


def test_long_tags_are_cut(tmp_path: Path) -> None:
    info = Recording(recordings.long_title(tmp_path)).info
    chapters = Recording(recordings.many_chapters(20, "T" * 50_000)(tmp_path)).info.chapters

    assert info.title == "T" * MAX_TAG + "…"
    assert info.author == "A" * MAX_TAG + "…"
    assert len(chapters) == 20
    assert all(len(chapter.title) == MAX_TAG + 1 for chapter in chapters)


@pytest.mark.parametrize("name", ["WAV of floats that are no numbers", "WAV of infinite floats"])
def test_samples_that_are_no_numbers_do_not_get_on(tmp_path: Path, name: str) -> None:
    blocks = list(Recording(recordings.BUILDERS[name](tmp_path)).blocks())

    assert sum(len(block.samples) for block in blocks) == 48_000
    assert all(np.isfinite(block.samples).all() for block in blocks)


def test_a_recording_longer_than_its_size_allows_is_refused(tmp_path: Path) -> None:
    path = recordings.wav(rate_hz=4_000, bits=8, content=bytes(4_000 * 700))(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:2_000])

    recording = Recording(path)
    path.write_bytes(whole)  # it grows while it is read

    assert outcome(decode_all, path) == "read"
    assert outcome(lambda _: sum(len(block.samples) for block in recording.blocks()), path) == "audio_unreadable"


def test_a_pipe_in_a_folder_of_recordings_is_refused(tmp_path: Path) -> None:
    recordings.pipe(tmp_path)

    assert outcome(open_source_files, tmp_path) == "file_not_regular"


def test_boxes_take_linear_time(tmp_path: Path) -> None:
    def read(n: int) -> str:
        return outcome(Recording, recordings.mp4(beside=recordings.box(b"free") * n)(tmp_path))

    assert_linear(read, 8_000)


u16 = st.integers(0, 0xFFFF)
u32 = st.sampled_from([0, 1, 2, 10, 1024, 0x7FFFFFFF, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)


@few
@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "timescale": u32,
            "rate_hz": u32,
            "n_packets": u32,
            "packet_units": u32,
            "packet_bytes": u32,
            "per_chunk": u32,
            "n_chunks": u32,
            "entry": st.sampled_from([b"mp4a", b"alac", b"sowt", b"drms", b"text", b"\0\0\0\0"]),
            "handler": st.sampled_from([b"soun", b"vide", b"text"]),
            "stts": st.binary(max_size=24),
            "stsz": st.binary(max_size=24),
        },
    )
)
def test_any_tables_of_an_mp4_are_read_or_refused(tmp_path: Path, values: dict[str, object]) -> None:
    with within_limits():
        assert outcome(decode_all, recordings.mp4(**values)(tmp_path)) in CODES | {"read"}


@few
@given(rate_hz=u32, n_channels=st.integers(0, 65_535), bits=st.integers(0, 65_535), form=st.integers(0, 65_535))
def test_any_header_of_a_wav_is_read_or_refused(
    tmp_path: Path, rate_hz: int, n_channels: int, bits: int, form: int
) -> None:
    path = recordings.wav(rate_hz=rate_hz, n_channels=n_channels, bits=bits, form=form)(tmp_path)

    with within_limits():
        assert outcome(decode_all, path) in CODES | {"read"}
        assert outcome(lambda path: read_clip(path, 24_000), path) in CODES | {"read"}


@few
@given(data=st.data())
def test_a_damaged_recording_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(FABLES.read_bytes())
    moov = content.index(b"moov")
    for _ in range(data.draw(st.integers(1, 4))):
        struct.pack_into(">I", content, moov + data.draw(st.integers(4, 2_000)), data.draw(u32))
    path = tmp_path / "a.m4b"
    path.write_bytes(content)

    with within_limits():
        assert outcome(lambda path: next(Recording(path).blocks(), None), path) in CODES | {"read"}
