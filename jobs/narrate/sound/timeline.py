"""Timeline of a chapter: each take without its own silence, and set pauses between them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.narrate.script.passages import LEAD_S, TAIL_S, Chapter, Passage

FRAME = CLIP_RATE_HZ // 100
SILENT_BELOW_PEAK_DB, SILENT_DBFS = 35.0, -65.0  # below the loud frames and absolutely: breath and noise, no speech
MARGIN_BEFORE_S, MARGIN_AFTER_S = 0.06, 0.12  # soft beginnings and ends of words
FADE_S = 0.01
NOISE_DBFS = -75.0  # ACX allows -60; the same throughout, so that no pause falls into digital silence

Read = Callable[[Passage], Samples]
"""Returns the samples of the take that is used for a passage."""


@dataclass(frozen=True)
class Placed:
    """A take in its chapter: samples ``first`` to ``last`` of it stand at ``start``."""

    passage: Passage
    start: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """Sample of the chapter after the take."""
        return self.start + self.last - self.first


@dataclass(frozen=True)
class Timeline:
    """The takes of a chapter in order, and its length in samples."""

    chapter: Chapter
    placed: tuple[Placed, ...]
    n_samples: int

    def blocks(self, read: Read, change: Callable[[Samples], Samples]) -> Iterator[Samples]:
        """Yield the chapter's sound, take by take with the silence before it.

        Args:
            read: reads takes.
            change: applied to each take, such as gain and limiter.
        """
        rng = np.random.default_rng(self.chapter.number)
        place = 0
        for one in self.placed:
            take = change(fade_ends(read(one.passage)[one.first : one.last]))
            yield add_noise(np.concatenate([np.zeros(one.start - place, np.float32), take]), rng)
            place = one.end
        yield add_noise(np.zeros(self.n_samples - place, np.float32), rng)


def make_timeline(chapter: Chapter, read: Read) -> Timeline:
    """Place the takes of a chapter."""
    placed, place, pause_s = [], 0, LEAD_S
    for passage in chapter.passages:
        first, last = find_speech(read(passage))
        start = place + round(pause_s * CLIP_RATE_HZ)
        placed.append(Placed(passage, start, first, last))
        place, pause_s = placed[-1].end, passage.pause_s
    return Timeline(chapter, tuple(placed), place + round(TAIL_S * CLIP_RATE_HZ))


def chapter_starts(timelines: Sequence[Timeline]) -> list[int]:
    """Return the sample at which each chapter begins, and that at which the last one ends."""
    return [0, *np.cumsum([timeline.n_samples for timeline in timelines]).tolist()]


def find_speech(samples: Samples) -> tuple[int, int]:
    """Return the first and the last sample of speech with a margin; of a silent take, all."""
    n_frames = len(samples) // FRAME
    if n_frames == 0:
        return 0, len(samples)
    frames = samples[: n_frames * FRAME].reshape(n_frames, FRAME).astype(np.float64)
    levels = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    limit = max(SILENT_DBFS, float(np.percentile(levels, 95)) - SILENT_BELOW_PEAK_DB)
    speech = np.flatnonzero(levels > limit)
    if not len(speech):
        return 0, len(samples)
    first = int(speech[0]) * FRAME - round(MARGIN_BEFORE_S * CLIP_RATE_HZ)
    last = (int(speech[-1]) + 1) * FRAME + round(MARGIN_AFTER_S * CLIP_RATE_HZ)
    return max(0, first), min(len(samples), last)


def fade_ends(samples: Samples) -> Samples:
    """Return a copy that begins and ends without a click."""
    faded = samples.copy()
    n_fade = min(int(FADE_S * CLIP_RATE_HZ), len(samples) // 2)
    ramp = np.linspace(0.0, 1.0, n_fade, dtype=np.float32)
    faded[:n_fade] *= ramp
    faded[len(samples) - n_fade :] *= ramp[::-1]
    return faded


def add_noise(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return samples with the noise floor of the book."""
    noise = rng.standard_normal(len(samples), np.float32) * np.float32(10 ** (NOISE_DBFS / 20))
    return samples + noise
