"""A book with everything that can be wrong with one, made of real narration: what is where is known to the sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip

PAUSE_S = 0.5
UNREAD = (
    "A tailor in the next town kept a blue parrot that could whistle three different marches, and every market day the "
    "farmers would gather beneath his window to argue about which of them was the finest. One winter the parrot fell "
    "silent, and nobody bought a single coat until spring came back over the hills with warm rain and yellow flowers."
)


@dataclass(frozen=True)
class Part:
    """A chapter: its title, its sound, and whether it may be kept."""

    title: str
    samples: Samples
    text: str
    fault: str | None
    """Reason for which nothing of it may be kept; None: all of it should be."""


def joined(clips: Sequence[Samples]) -> Samples:
    """Clips with the background noise between them, -70 dBFS."""
    pause = np.random.default_rng(3).normal(scale=3e-4, size=round(PAUSE_S * CLIP_RATE_HZ)).astype(np.float32)
    parts = [pause]
    for clip in clips:
        parts += [clip, pause]
    return np.concatenate(parts)


def with_noise(samples: Samples, snr_db: float) -> Samples:
    """White noise under the speech."""
    return mixed(samples, np.random.default_rng(7).normal(size=len(samples)).astype(np.float32), snr_db)


def with_chords(samples: Samples, snr_db: float) -> Samples:
    """Music under the speech: chords of four notes with five harmonics, a new one every two seconds, as of a piano."""
    return mixed(samples, chords(len(samples)), snr_db)


def chords(n_samples: int) -> Samples:
    """Chords, RMS 1."""
    music = np.zeros(n_samples)
    for number, start in enumerate(range(0, n_samples, 2 * CLIP_RATE_HZ)):
        time = np.arange(min(2 * CLIP_RATE_HZ, n_samples - start)) / CLIP_RATE_HZ
        root = (220.0, 174.6, 261.6, 196.0)[number % 4]
        envelope = np.minimum(1, time / 0.05) * np.exp(-time / 2.5)
        for note in (1, 1.26, 1.498, 2):
            for harmonic in range(1, 6):
                music[start : start + len(time)] += (
                    envelope * np.sin(2 * np.pi * root * note * harmonic * time + note) / harmonic
                )
    return (music / np.sqrt(np.mean(music**2))).astype(np.float32)


def mixed(samples: Samples, other: Samples, snr_db: float) -> Samples:
    """``other`` of RMS 1 under the samples, so many dB below their mean power."""
    level = np.sqrt(np.mean(np.square(samples))) * 10 ** (-snr_db / 20)
    return np.clip(samples + other * level, -1, 1).astype(np.float32)


def parts(printing: Path, fables: Sequence[tuple[str, Samples]]) -> list[Part]:
    """The chapters, from the printing excerpt and the sample's synthetic voice."""
    lines = [json.loads(line) for line in (printing / "utterances.jsonl").read_text().splitlines()]
    said = [(line["text"], read_clip(printing / "clips" / f"{line['id']}.flac", CLIP_RATE_HZ)) for line in lines]

    def chapter(title: str, chosen: Sequence[tuple[str, Samples]], fault: str | None, text: str | None = None) -> Part:
        words = " ".join(each for each, _ in chosen) if text is None else text
        return Part(title, joined([samples for _, samples in chosen]), words, fault)

    noisy = chapter("In the rain", said[12:15], "noisy")
    intro = chapter("Intro", said[15:18], "music")
    return [
        Part(intro.title, with_chords(intro.samples, 15), intro.text, intro.fault),
        chapter("Clean", said[:8], None),
        chapter("Not in the text", said[8:10], "not_in_text", ""),
        Part(noisy.title, with_noise(noisy.samples, 10), noisy.text, noisy.fault),
        chapter("Another narrator", [(text, samples) for text, samples in fables[:6]], "another_voice"),
        chapter("Clean again", said[10:12] + said[18:20], None),
    ]


def write_book(folder: Path, chapters: Sequence[Part]) -> dict[str, str]:
    """Write ``book.m4b`` and ``book.txt``, which has a chapter that is not read aloud; parameters of an ingest."""
    texts = [part.text for part in chapters if part.text]
    half = len(texts) // 2
    (folder / "book.txt").write_text("\n\n".join([*texts[:half], UNREAD, *texts[half:]]), encoding="utf-8")
    samples = np.concatenate([part.samples for part in chapters])
    with av.open(str(folder / "book.m4b"), "w", format="ipod") as container:
        container.metadata["title"] = "A spoiled book"
        stream = container.add_stream("aac", rate=CLIP_RATE_HZ, layout="mono")
        stream.bit_rate = 96_000
        marks, start = [], 0
        for number, part in enumerate(chapters):
            end = start + len(part.samples)
            marks.append({"id": number, "start": start * 1000 // CLIP_RATE_HZ, "end": end * 1000 // CLIP_RATE_HZ,
                          "time_base": Fraction(1, 1000), "metadata": {"title": part.title}})  # fmt: skip
            start = end
        container.set_chapters(marks)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = CLIP_RATE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return {"audio": str(folder / "book.m4b"), "text": str(folder / "book.txt")}
