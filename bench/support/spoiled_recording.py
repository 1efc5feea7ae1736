"""Recording of which parts are replaced by what no book has: noise, music, and another voice reading other words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.audio.resampling import resample

VOICE_PITCH = 1.15  # of the other voice, as of a shorter vocal tract
CHORD_HZ = (220.0, 277.2, 329.6, 440.0)


def spoil(
    samples: Samples, utterances: Sequence[Mapping[str, Any]]
) -> tuple[Samples, list[int], list[tuple[float, float]]]:
    """Replace every fourth utterance of a recording at 24 kHz.

    Returns:
        The samples; the utterances that the text must lack, because the other voice reads them; the replaced spans and
        those of these utterances, seconds.
    """
    rng = np.random.default_rng(0)
    spoilt = samples.copy()
    unprinted: list[int] = []
    for turn, number in enumerate(range(1, len(utterances) - 2, 4)):
        first, last = _samples_of(utterances[number])
        length, level = last - first, float(np.std(samples[first:last]))
        way = ("noise", "music", "voice")[turn % 3]
        if way == "noise":
            spoilt[first:last] = rng.normal(0, level, length)
        elif way == "music":
            times = np.arange(length) / CLIP_RATE_HZ
            beat = np.exp(-3 * (times % 0.5))
            spoilt[first:last] = level * beat * sum(np.sin(2 * np.pi * hertz * times) for hertz in CHORD_HZ)
        else:
            unprinted.append(number + 2)
            other = samples[slice(*_samples_of(utterances[number + 2]))]
            voice = resample(other, round(CLIP_RATE_HZ * VOICE_PITCH), CLIP_RATE_HZ)[:length]
            spoilt[first:last] = 0
            spoilt[first : first + len(voice)] = voice
    replaced = [*range(1, len(utterances) - 2, 4), *unprinted]
    return spoilt, unprinted, [(utterances[k]["start"], utterances[k]["end"]) for k in sorted(replaced)]


def _samples_of(utterance: Mapping[str, Any]) -> tuple[int, int]:
    return round(utterance["start"] * CLIP_RATE_HZ), round(utterance["end"] * CLIP_RATE_HZ)
