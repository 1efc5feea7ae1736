"""Containers that contradict themselves: several audio streams, channels that cancel each other."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from jobs.audio.clip_io import read_clip
from jobs.audio.recording import Recording
from jobs.ingest_audiobook.input.source_files import open_source_files

RATE = 24_000
TIMES = np.arange(2 * RATE) / RATE
LOW, HIGH = ((0.2 * np.sin(2 * np.pi * pitch * TIMES)).astype(np.float32) for pitch in (220, 3_000))
NOISE = (0.01 * np.random.default_rng(0).standard_normal(len(LOW))).astype(np.float32)


def write(path: Path, codec: str, streams: list[list[np.ndarray]], default: int = 0) -> Path:
    """Write streams of channels."""
    with av.open(str(path), "w") as container:
        made = [
            container.add_stream(codec, rate=RATE, layout="mono" if len(channels) == 1 else "stereo")
            for channels in streams
        ]
        for number, stream in enumerate(made):  # before the header is written
            stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
        for stream, channels in zip(made, streams, strict=True):
            layout = stream.layout.name
            resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=RATE, frame_size=1024)
            frame = av.AudioFrame.from_ndarray(np.stack(channels), format="fltp", layout=layout)
            frame.sample_rate = RATE
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(stream.encode(part))
        for stream in made:
            container.mux(stream.encode(None))
    return path


def samples_of(recording: Recording, start: int = 0, end: int | None = None) -> np.ndarray:
    return np.concatenate([block.samples for block in recording.blocks(start, end)])


def pitch_of(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples[:4096]))) * RATE / 4096)


@pytest.mark.parametrize("name", ["two.m4a", "two.mka"])
@pytest.mark.parametrize(("default", "pitch"), [(0, 220), (1, 3_000)])
def test_the_default_audio_stream_is_read_from_any_place_and_told(
    tmp_path: Path, name: str, default: int, pitch: float
) -> None:
    path = write(tmp_path / name, "aac", [[LOW], [HIGH]], default)
    files = open_source_files(path)
    (recording,) = files.recordings

    assert pitch_of(samples_of(recording, 8_000, 16_000)) == pytest.approx(pitch, abs=8)
    assert pitch_of(samples_of(recording)[8_000:]) == pytest.approx(pitch, abs=8)
    assert f"has 2 audio streams; number {default + 1} is read" in files.notes[0]


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.m4a", "aac"), ("a.mp3", "mp3")])
def test_of_channels_that_cancel_each_other_the_first_is_read(tmp_path: Path, name: str, codec: str) -> None:
    path = write(tmp_path / name, codec, [[LOW, NOISE - LOW]])
    files = open_source_files(path)
    (recording,) = files.recordings

    whole, part = samples_of(recording), samples_of(recording, RATE, RATE + 5_000)

    assert np.sqrt(np.square(part).mean()) == pytest.approx(0.141, abs=0.01)
    assert np.abs(part - whole[RATE : RATE + 5_000]).max() < 0.01
    assert np.sqrt(np.square(read_clip(path, RATE)[RATE : RATE + 5_000]).mean()) == pytest.approx(0.141, abs=0.01)
    assert "opposite" in files.notes[0]


@pytest.mark.parametrize(("right", "level"), [(LOW, 0.141), (0 * LOW, 0.071), (HIGH, 0.1)])
def test_other_channels_are_mixed(tmp_path: Path, right: np.ndarray, level: float) -> None:
    recording = Recording(write(tmp_path / "a.wav", "pcm_s16le", [[LOW, right]]))

    assert not recording.has_opposite_channels
    assert np.sqrt(np.square(samples_of(recording)).mean()) == pytest.approx(level, abs=0.002)
