"""Damage that a badly tuned voice makes: dropped and repeated words, muffled, clicking, metallic or monotone sound.

Limits were chosen while looking at ``TUNED``, never at ``HELD_OUT``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import parselmouth
from scipy.signal import butter, iirpeak, lfilter, sosfiltfilt

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, Samples
from jobs.audio.resampling import resample
from jobs.codec_format import SAMPLES_PER_FRAME
from jobs.text.english_normalization import spoken_map, spoken_words
from tests.support.damage.speech import Bound, Spoken, faster, frames_dropped

Damage = Callable[[Samples], Samples]

_CROSS_FADE = CLIP_RATE_HZ // 100
_FUNCTION_WORDS = """
    with which from were been that this these those their they them thou thine than then some into have very more most
    such what when where will would"""
_SHORTEST_CONTENT_WORD = 4


def low_pass(hz: float, order: int = 4) -> Damage:
    """Return a Butterworth low-pass, run forwards and backwards."""
    return lambda audio: sosfiltfilt(butter(order, hz, fs=CLIP_RATE_HZ, output="sos"), audio).astype(np.float32)


def telephone(audio: Samples) -> Samples:
    """300 to 3400 Hz at 8 kHz in 8 bits of mu-law."""
    band = sosfiltfilt(butter(4, [300, 3400], "band", fs=CLIP_RATE_HZ, output="sos"), audio).astype(np.float32)
    narrow = resample(resample(band, CLIP_RATE_HZ, 8000), 8000, CLIP_RATE_HZ)
    coded = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    return np.asarray(np.sign(coded) * (256 ** np.abs(coded) - 1) / 255, np.float32)


def clicks(n: int, size: float, width: int, seed: int) -> Damage:
    """Return a damage that adds clicks of ``width`` samples."""

    def add(audio: Samples) -> Samples:
        rng = np.random.default_rng(seed)
        clicking = audio.copy()
        for at in rng.integers(0, len(audio) - width, n):
            clicking[at : at + width] += size * rng.choice([-1, 1])
        return np.clip(clicking, -1, 1)

    return add


def comb(delay_s: float, gain: float) -> Damage:
    """Return a feedback comb: a metallic ring."""

    def ring(audio: Samples) -> Samples:
        back = np.zeros(int(delay_s * CLIP_RATE_HZ) + 1)
        back[0], back[-1] = 1.0, -gain
        rung = lfilter([1.0], back, audio)
        return np.asarray(rung / np.abs(rung).max() * np.abs(audio).max(), np.float32)

    return ring


def ring_modulation(hz: float) -> Damage:
    """Return a multiplication by a sine: a robot of old films."""
    return lambda audio: np.asarray(audio * np.sin(2 * np.pi * hz * np.arange(len(audio)) / CLIP_RATE_HZ), np.float32)


def tremolo(hz: float) -> Damage:
    """Return an envelope that moves at a fixed rate."""
    return lambda audio: np.asarray(
        audio * (0.65 + 0.35 * np.sin(2 * np.pi * hz * np.arange(len(audio)) / CLIP_RATE_HZ)), np.float32
    )


def resonance(hz: float) -> Damage:
    """Return a narrow resonance."""
    above, below = iirpeak(hz, 12, fs=CLIP_RATE_HZ)
    return lambda audio: np.asarray(0.4 * (audio + 4 * lfilter(above, below, audio)), np.float32)


def frames_held(audio: Samples) -> Samples:
    """Play every second codec frame twice, in place of the one after it."""
    frames = audio[: len(audio) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME].reshape(-1, SAMPLES_PER_FRAME).copy()
    n_pairs = len(frames) // 2
    frames[1 : 2 * n_pairs : 2] = frames[0 : 2 * n_pairs : 2]
    return frames.reshape(-1)


def flatter(share: float) -> Damage:
    """Return a damage that leaves ``share`` of the movement of the pitch, by Praat's overlap-add."""
    call = parselmouth.praat.call

    def flatten(audio: Samples) -> Samples:
        manipulation = call(parselmouth.Sound(audio.astype(np.float64), CLIP_RATE_HZ), "To Manipulation", 0.01, 75, 500)
        tier = call(manipulation, "Extract pitch tier")
        numbers = range(1, call(tier, "Get number of points") + 1)
        points = [(call(tier, "Get time from index", n), call(tier, "Get value at index", n)) for n in numbers]
        median = float(np.median([hz for _, hz in points]))
        call(tier, "Remove points between", 0, len(audio) / CLIP_RATE_HZ)
        for time_s, hz in points:
            call(tier, "Add point", time_s, median * (hz / median) ** share)
        call([tier, manipulation], "Replace pitch tier")
        return np.asarray(call(manipulation, "Get resynthesis (overlap-add)").values[0], np.float32)

    return flatten


TUNED: Mapping[str, Damage] = {
    "low-pass at 3 kHz": low_pass(3000),
    "telephone, 8 kHz": telephone,
    "40 clicks": clicks(40, 0.5, 1, seed=0),
    "every second codec frame dropped": frames_dropped,
    "metallic ring (comb of 5 ms)": comb(0.005, 0.7),
    "flattened pitch": flatter(0.0),
    "0.6x speed, pitch kept": lambda audio: faster(audio, 0.6),
    "tremolo at 30 Hz": tremolo(30),
    "resonance at 3 kHz": resonance(3000),
}
HELD_OUT: Mapping[str, Damage] = {
    "low-pass at 4 kHz": low_pass(4000),
    "low-pass at 3 kHz, steep": low_pass(3000, 12),
    "40 soft clicks": clicks(40, 0.1, 1, seed=3),
    "40 broad clicks": clicks(40, 0.25, 3, seed=7),
    "every second codec frame held": frames_held,
    "metallic ring (comb of 9 ms)": comb(0.009, 0.6),
    "metallic ring (comb of 2 ms)": comb(0.002, 0.6),
    "ring modulation at 200 Hz": ring_modulation(200),
    "tremolo at 18 Hz": tremolo(18),
    "resonance at 3.6 kHz": resonance(3600),
    "pitch flattened to a quarter": flatter(0.25),
}
SUBTLE_BOUND = Bound(at_most=3)


def cross_faded(parts: Sequence[Samples]) -> Samples:
    """Join audio with cross-fades of 10 ms."""
    joined = parts[0]
    up = np.linspace(0, 1, _CROSS_FADE, dtype=np.float32)
    for part in parts[1:]:
        if min(len(joined), len(part)) < _CROSS_FADE:
            joined = np.concatenate([joined, part])
            continue
        both = joined[-_CROSS_FADE:] * (1 - up) + part[:_CROSS_FADE] * up
        joined = np.concatenate([joined[:-_CROSS_FADE], both, part[_CROSS_FADE:]])
    return joined


_FADE = CLIP_RATE_HZ // 200


def paused(clips: Sequence[Spoken], *, pause_s: float, every: int, seed: int) -> list[Spoken]:
    """Put pauses after words that no mark follows: after each ``every``-th, the first chosen by chance.

    Clips that do not align are left out.
    """
    recogniser, rng = Recogniser(), np.random.default_rng(seed)
    found = []
    for clip in clips:
        spoken = spoken_map(clip.text)
        aligned = recogniser.align(resample(clip.audio, CLIP_RATE_HZ, SPEECH_RATE_HZ), [each.word for each in spoken])
        if aligned is None:
            continue
        inside = [
            number
            for number, (word, after) in enumerate(itertools.pairwise(spoken))
            if clip.text[word.end : after.start] == " " and number > 0
        ]
        chosen = inside[int(rng.integers(min(every, len(inside)))) :: every]
        places = [0, *(int(aligned[number].end_s * CLIP_RATE_HZ) for number in chosen), len(clip.audio)]
        parts = [_faded(clip.audio[start:end]) for start, end in itertools.pairwise(places)]
        silence = np.zeros(int(pause_s * CLIP_RATE_HZ), np.float32)
        joined = [piece for part in parts for piece in (part, silence)][:-1]
        found.append(Spoken(np.concatenate(joined), clip.text))
    return found


def _faded(audio: Samples) -> Samples:
    ramp = np.minimum(1.0, (np.arange(len(audio)) + 1) / _FADE).astype(np.float32)
    return audio * ramp * ramp[::-1]


@dataclass(frozen=True)
class ChangedWord:
    """A clip with one content word removed or repeated."""

    spoken: Spoken
    word: str


def change_words(clips: Sequence[Spoken], *, repeat: bool, seed: int) -> list[ChangedWord]:
    """Remove or repeat one content word of each clip, chosen by chance; clips that do not align are left out."""
    recogniser, rng = Recogniser(), np.random.default_rng(seed)
    found = []
    for clip in clips:
        words = spoken_words(clip.text)
        aligned = recogniser.align(resample(clip.audio, CLIP_RATE_HZ, SPEECH_RATE_HZ), words)
        content = [
            at
            for at, word in enumerate(words)
            if len(word) >= _SHORTEST_CONTENT_WORD and word not in _FUNCTION_WORDS.split()
        ]
        if aligned is None or not content:
            continue
        at = int(rng.choice(content))
        start, end = (int(each * CLIP_RATE_HZ) for each in (aligned[at].start_s, aligned[at].end_s))
        parts = [clip.audio[:end], clip.audio[start:]] if repeat else [clip.audio[:start], clip.audio[end:]]
        found.append(ChangedWord(Spoken(cross_faded(parts), clip.text), words[at]))
    return found
