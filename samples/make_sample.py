"""Remake ``fables.m4b`` from ``fables.txt``: flite speaks each sentence, PyAV writes the audiobook.

Not part of the product: the recording is committed, so that the demo runs without flite. From the root:

    PYTHONPATH=. .envs/ml/bin/python samples/make_sample.py [--out samples/fables.m4b]
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from jobs.codec_format import SAMPLE_RATE_HZ

HERE = Path(__file__).resolve().parent
SPEECH_RMS = 0.1  # the level at which the toy codec was trained; other levels sound worse through it
PAUSE_S = 0.7  # beside flite's own 0.4 s; longer than the gap over which ingest merges segments (0.5 s)
CHAPTER_PAUSE_S = 1.5
BIT_RATE = 64_000
COVER_SIDE = 300

TAGS = {
    "title": "Two Fables",
    "artist": "after Aesop",
    "album": "Two Fables",
    "album_artist": "flite, voice slt",
    "genre": "Audiobook",
    "date": "2026",
    "copyright": "MIT, like the project",
}
CHAPTER_TITLES = ("The Crow and the Pitcher", "The Lion and the Mouse")


def chapters_of(text: str) -> list[list[str]]:
    """Sentences of each chapter: one a line, chapters parted by an empty line."""
    return [block.splitlines() for block in text.strip().split("\n\n")]


def speak(sentence: str) -> NDArray[np.float32]:
    """One sentence in flite's voice slt, 24 kHz mono, at flite's own level.

    Raises:
        FileNotFoundError: flite is not installed (Debian: ``apt install flite``).
    """
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sentence.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", sentence, "-o", str(wav)], check=True)
        audio, rate_hz = soundfile.read(wav, dtype="float32")
    resampled: NDArray[np.float32] = soxr.resample(audio, rate_hz, SAMPLE_RATE_HZ, "HQ")
    return resampled


def narrate(chapters: list[list[str]]) -> tuple[NDArray[np.float32], list[float]]:
    """Speak the whole book.

    Returns:
        Samples at 24 kHz with rms 0.1 over the spoken parts, and where each chapter starts, in seconds.
    """
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    chapter_pause = np.zeros(int(CHAPTER_PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    spoken = [[speak(sentence) for sentence in chapter] for chapter in chapters]
    every = np.concatenate([audio for chapter in spoken for audio in chapter])
    gain = SPEECH_RMS / float(np.sqrt(np.mean(every**2)))
    parts: list[NDArray[np.float32]] = []
    starts_s: list[float] = []
    for chapter in spoken:
        starts_s.append(sum(map(len, parts)) / SAMPLE_RATE_HZ)
        for audio in chapter:
            parts += [pause, audio * gain]
        parts.append(chapter_pause)
    return np.concatenate(parts), starts_s


def draw_cover() -> NDArray[np.uint8]:
    """A moon over a hill and a pitcher before it: (300, 300, 3), RGB."""
    y, x = np.mgrid[0:COVER_SIDE, 0:COVER_SIDE]
    picture = np.empty((COVER_SIDE, COVER_SIDE, 3), np.uint8)
    picture[...] = (26, 38, 74)
    picture[(x - 215) ** 2 + (y - 85) ** 2 < 45**2] = (244, 226, 168)
    picture[y > 235 - 22 * np.sin(x / 48)] = (47, 84, 66)
    half_width = 26 + 20 * np.sin(np.clip((y - 120) / 140, 0, 1) * np.pi)
    body = (abs(x - 105) < half_width) & (y > 115) & (y < 265)
    handle_radius = np.hypot(x - 150, (y - 175) * 0.8)
    picture[(handle_radius > 22) & (handle_radius < 32) & (x > 140)] = (176, 92, 58)
    picture[body] = (196, 110, 70)
    picture[(abs(x - 105) < 32) & (y > 108) & (y < 122)] = (226, 148, 104)
    return picture


def write_m4b(path: Path, audio: NDArray[np.float32], starts_s: list[float]) -> None:
    """Encode AAC, add chapters, tags and the cover. The same input gives the same bytes on the same PyAV."""
    duration_s = len(audio) / SAMPLE_RATE_HZ
    ends_s = [*starts_s[1:], duration_s]
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact", "brand": "M4B "}) as book:
        book.metadata.update(TAGS)
        book.set_chapters(
            [
                {
                    "id": number,
                    "start": round(start_s * 1000),
                    "end": round(end_s * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, (start_s, end_s, title) in enumerate(zip(starts_s, ends_s, CHAPTER_TITLES, strict=True))
            ]
        )
        voice = book.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono", bit_rate=BIT_RATE)
        voice.codec_context.flags |= av.codec.context.Flags.bitexact
        cover = book.add_stream("png", rate=1)
        cover.width = cover.height = COVER_SIDE
        cover.pix_fmt = "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        book.mux(cover.encode(av.VideoFrame.from_ndarray(draw_cover(), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(audio[None], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        book.mux(voice.encode(frame))
        book.mux(voice.encode(None))


def main() -> None:
    """Read the text beside this file, write the book."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=HERE / "fables.m4b")
    out: Path = arguments.parse_args().out
    audio, starts_s = narrate(chapters_of((HERE / "fables.txt").read_text(encoding="utf-8")))
    write_m4b(out, audio, starts_s)
    print(f"{out}: {len(audio) / SAMPLE_RATE_HZ:.1f} s, chapters at {[round(start, 2) for start in starts_s]} s")


if __name__ == "__main__":
    main()
