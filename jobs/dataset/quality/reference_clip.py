"""Reference clips: those that represent the narrator's voice best."""

import math
from collections.abc import Sequence

from jobs.dataset.manifest import Clip
from jobs.dataset.quality.measure_clip import Measured
from jobs.dataset.quality.narrator_stats import DatasetProfile, compute_speaking_rate
from jobs.speaker.similarity import compute_sim

MIN_S, MAX_S = 3.0, 10.0  # Qwen3-TTS asks for at least 3 s of reference audio
_ENDS = tuple('.!?。！？…"”’)')


def best_references(clips: Sequence[Clip], measured: Sequence[Measured], narrator: DatasetProfile, n: int) -> list[int]:
    """Places of the best reference clips, best first; of clips that are learnt before those held out.

    Of clips of 3 to 10 s, or of all when there is none.
    """
    places = [place for place, clip in enumerate(clips) if MIN_S <= (clip.duration_s or 0.0) <= MAX_S]
    places = places or list(range(len(clips)))
    return sorted(
        places, key=lambda place: (clips[place].split != "train", _strangeness(clips[place], measured[place], narrator))
    )[:n]


def _strangeness(clip: Clip, about: Measured, narrator: DatasetProfile) -> float:
    """Compute the distance of a clip from the narrator's medians, in steps of equal weight; smaller is better."""
    steps = 0.0 if _is_whole(clip.text) else 1.0
    if about.embedding is not None and narrator.voice is not None and narrator.sim is not None:
        steps += max(0.0, narrator.sim - compute_sim(about.embedding, narrator.voice)) / 0.02
    if about.pitch_hz and narrator.pitch_hz:
        steps += abs(12 * math.log2(about.pitch_hz / narrator.pitch_hz))  # semitones
    rate = compute_speaking_rate(about)
    if rate and narrator.speaking_rate:
        steps += abs(math.log(rate / narrator.speaking_rate)) / 0.1
    if about.values and narrator.snr_db is not None:
        steps += max(0.0, narrator.snr_db - about.values["snr_db"]) / 3
        steps += about.values["longest_pause_s"]
    return steps + abs((clip.duration_s or 0.0) - 7.0) / 3


def _is_whole(text: str) -> bool:
    """A sentence from its beginning to its end."""
    text = text.strip().lstrip("\"“'‘(¿¡")
    return (
        bool(text)
        and (text[0].isupper() or not text[0].isalpha() or text[0].lower() == text[0].upper())
        and text.endswith(_ENDS)
    )
