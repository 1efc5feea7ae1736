"""Curated clips of strangers: what is no sound of a clip's length is rejected before it is decoded."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.align.align_clip import clip_key
from jobs.convert_codes.clip_loader import inspect_clip
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.exchange.foreign_clips import ForeignClip
from jobs.dataset.manifest import LONGEST_TEXT, Clip, RejectionError
from jobs.ingest_clips.clip_converter import DurationLimits, RejectedAudio, convert_clip, hash_audio
from jobs.ingest_clips.params import TranscriptLine
from jobs.ingest_clips.transcript_parser import find_lines, parse_lines
from tests.support.hostile.datasets.sound_files import SOUND, write_wav

LIMITS = DurationLimits(0.5, 30.0)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def of_rate(rate_hz: int, n_channels: int = 1, size: int = len(SOUND)) -> Callable[[Path], None]:
    """Return the builder of a WAV whose header names these, and of a size that is not written."""

    def build(path: Path) -> None:
        form = struct.pack("<HHIIHH", 1, n_channels, rate_hz, rate_hz * 2 * n_channels, 2 * n_channels, 16)
        head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
        path.write_bytes(b"RIFF" + struct.pack("<I", size + len(head)) + head + SOUND)
        os.truncate(path, 8 + len(head) + size)

    return build


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (pipe, "unreadable"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "unreadable"),
    "folder": (lambda path: path.mkdir(), "unreadable"),
    "1 Hz": (of_rate(1), "unreadable"),
    "100 Hz, 3 GB": (of_rate(100, size=3_000_000_000), "unreadable"),
    "8 kHz, 3 GB": (of_rate(8_000, size=3_000_000_000), "sample_rate_low"),
    "48 kHz, 3 GB": (of_rate(48_000, size=3_000_000_000), "too_long"),
    "48 kHz, 1,024 channels": (of_rate(48_000, 1_024, 400_000_000), "unreadable"),
    "no header": (lambda path: path.write_bytes(SOUND), "unreadable"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("file", ["a.wav", "a.raw"])
def test_it_is_rejected_at_once(name: str, file: str, tmp_path: Path) -> None:
    build, reason = HOSTILE[name]
    build(tmp_path / file)

    start = time.process_time()
    with pytest.raises(RejectedAudio) as caught:
        convert_clip(tmp_path / file, tmp_path / "out.wav", LIMITS)

    assert caught.value.reason == reason
    assert time.process_time() - start < 2
    assert not (tmp_path / "out.wav").exists()


def test_no_step_waits_for_a_pipe(tmp_path: Path) -> None:
    pipe(tmp_path / "a.wav")

    for read in (
        lambda: hash_audio(tmp_path / "a.wav"),
        lambda: clip_key(tmp_path / "a.wav", "Some words.", "aligner"),
        lambda: inspect_clip(0, Clip(audio="a.wav", text="Some words."), tmp_path / "m.jsonl", AudioRoots()),
    ):
        with pytest.raises(RejectionError) as caught:
            read()
        assert caught.value.reason in ("unreadable", "audio_unreadable")


def test_a_clip_of_hours_is_not_encoded(tmp_path: Path) -> None:
    of_rate(48_000, size=3_000_000_000)(tmp_path / "a.wav")
    os.truncate(tmp_path / "a.wav", 100_000_000)  # hashing 3 GB takes seconds

    with pytest.raises(RejectionError) as caught:
        inspect_clip(0, Clip(audio="a.wav", text="Some words."), tmp_path / "m.jsonl", AudioRoots())

    assert caught.value.reason == "too_long"


def test_text_that_no_clip_can_hold_is_rejected_in_linear_time(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav")
    accents = "a" + "\u0301\u0316" * 100_000  # sorted by the square of their number
    line = TranscriptLine(audio_file="a.wav", text=accents)

    start = time.process_time()
    parsed, rejected = parse_lines(find_lines([(1, line)], tmp_path), speaker="anna", language="english")

    assert time.process_time() - start < 1
    assert (parsed, rejected[0].reason, len(rejected[0].text) <= LONGEST_TEXT) == ([], "text_too_long", True)


def test_clips_of_one_name_get_names_in_linear_time() -> None:
    def cost_s(n_clips: int) -> float:
        lines = [
            ForeignClip(number, f"{'я' * 3}.wav", Path(f"/{number}"), f"Word {number}.") for number in range(n_clips)
        ]
        start = time.process_time()
        parsed, _ = parse_lines(lines, speaker="anna", language="english")
        assert len({line.clip_name for line in parsed}) == n_clips
        assert [line.clip_name for line in parsed[:3]] == ["clip.wav", "clip-2.wav", "clip-3.wav"]
        return time.process_time() - start

    assert min(cost_s(8_000) for _ in range(2)) < 10 * min(cost_s(2_000) for _ in range(2))
