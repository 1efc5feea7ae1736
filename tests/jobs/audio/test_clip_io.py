from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from jobs.audio.clip_io import duration_s, read_clip, write_clip
from jobs.audio.recording import decode_blocks, probe
from jobs.errors import UserError


def encode(path: Path, samples: np.ndarray, rate: int, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def test_a_clip_comes_back_as_it_was_written(tmp_path: Path, sine: np.ndarray) -> None:
    write_clip(tmp_path / "clip.wav", sine, 24_000)

    back = read_clip(tmp_path / "clip.wav", 24_000)

    assert back.dtype == np.float32
    assert np.abs(back - sine).max() <= 1 / 32768
    assert duration_s(tmp_path / "clip.wav") == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["clip.wav"]


def test_a_clip_is_read_at_another_rate_with_its_pitch_kept(tmp_path: Path, sine: np.ndarray) -> None:
    write_clip(tmp_path / "clip.wav", sine, 24_000)

    back = read_clip(tmp_path / "clip.wav", 16_000)

    assert len(back) == 32_000
    assert int(np.abs(np.fft.rfft(back)).argmax()) == 880  # 440 Hz in bins of half a hertz


def test_aac_is_decoded_in_blocks_whose_starts_count_samples(tmp_path: Path, sine: np.ndarray) -> None:
    encode(tmp_path / "book.m4b", np.tile(sine, 3), 24_000, "aac")

    blocks = list(decode_blocks(tmp_path / "book.m4b", block_s=1.0))

    assert len(blocks) >= 5
    assert [block.start_sample for block in blocks] == list(
        np.cumsum([0] + [len(block.samples) for block in blocks[:-1]])
    )
    assert sum(len(block.samples) for block in blocks) == pytest.approx(144_000, abs=3_000)
    assert read_clip(tmp_path / "book.m4b", 24_000).shape[0] == pytest.approx(144_000, abs=3_000)


def test_probe_tells_rate_and_that_there_is_no_cover(tmp_path: Path, sine: np.ndarray) -> None:
    encode(tmp_path / "book.m4b", sine, 24_000, "aac")

    info = probe(tmp_path / "book.m4b")

    assert (info.sample_rate_hz, info.has_cover, info.chapters) == (24_000, False, ())


def test_a_text_file_named_m4b_is_unreadable_audio(tmp_path: Path) -> None:
    (tmp_path / "book.m4b").write_text("Call me Ishmael.\n" * 50)

    with pytest.raises(UserError) as caught:
        probe(tmp_path / "book.m4b")

    assert caught.value.code == "audio_unreadable"


def test_video_without_audio_has_no_stream(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)

    with pytest.raises(UserError) as caught:
        read_clip(tmp_path / "film.mp4", 24_000)

    assert caught.value.code == "audio_no_stream"
    assert "video" in caught.value.message


def test_audio_of_no_samples_is_empty(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.wav", np.zeros(0, np.float32), 24_000)
    (tmp_path / "nothing.m4b").write_bytes(b"")

    codes = []
    for name in ("clip.wav", "nothing.m4b"):
        with pytest.raises(UserError) as caught:
            read_clip(tmp_path / name, 24_000)
        codes.append(caught.value.code)

    assert codes == ["audio_empty", "audio_empty"]


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_clip(tmp_path / "none.wav", 24_000)

    assert caught.value.code == "audio_missing"
