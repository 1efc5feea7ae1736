"""The narrator as the book itself shows him: what his clips have in common, though some are another's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from jobs.audio.mel import Floats
from jobs.dataset.quality.clip_metrics import Measured

MIN_CLIPS = 5  # SIM to the centroid of 1, 3, 5, 20 clips: 0.919, 0.929, 0.943, 0.956
MIN_VOICE_S = 1.0  # below, an embedding says nothing
FULL_VOICE_S = 4.0
_CORE_SHARE = 0.6  # of the clips, the nearest: up to 40 % of other voices cannot draw the centroid to them
_MOST_COMPARED = 1500
_ROUNDS = 10

# SIM of the narrator's own shorter clips under that of long ones (real narration cut to length, November 2026)
_SHORT_SIM = ((1.0, 0.16), (2.0, 0.085), (4.0, 0.035), (8.0, 0.0))
# the same for DNSMOS, which repeats a clip until 9 s are full: clips of 1.8 to 2.6 s against those of over 4 s
_SHORT_OPINION = ((2.0, 0.30), (3.0, 0.20), (4.0, 0.08), (6.0, 0.0))
_SHORT_BACKGROUND = ((2.0, 0.75), (3.0, 0.6), (4.0, 0.25), (6.0, 0.0))


@dataclass(frozen=True)
class Narrator:
    """Medians over clips whose sound is good. None: too few clips, or not measured.

    Attributes:
        n_clips: that the medians are of.
        snr_db: against each clip's own quietest stretches.
        voice: centroid of the core of the embeddings, (256,), unit length.
        sim: median SIM of the core to it, brought to long clips.
        rate: phones or letters a second.
    """

    n_clips: int
    snr_db: float | None
    loudness_lufs: float | None
    rate: float | None
    pitch_hz: float | None
    voice: Floats | None
    sim: float | None


@dataclass(frozen=True)
class Opinion:
    """What DNSMOS thinks of the narrator's own long clips: medians."""

    quality: float
    background: float


def narrator_of(clips: Sequence[Measured], sims: Sequence[float] | None = None) -> Narrator:
    """The narrator of clips, most of which are his."""
    spoken = [clip for clip in clips if clip.values]
    voices = [clip for clip in spoken if clip.embedding is not None and clip.speech_span_s >= MIN_VOICE_S]
    voice, sim = None, None
    if len(voices) >= MIN_CLIPS:
        long = [clip for clip in voices if clip.speech_span_s >= FULL_VOICE_S]
        used = long if len(long) >= max(MIN_CLIPS, len(voices) // 4) else voices
        voice, core = robust_centroid(np.stack([clip.embedding for clip in used if clip.embedding is not None]))
        near = [used[place] for place in core]
        sim = median(sim_to(clip, voice) + short_sim(clip.speech_span_s) for clip in near)
    return Narrator(
        n_clips=len(spoken),
        snr_db=_median([own_snr_db(clip) for clip in spoken]),
        loudness_lufs=_median([clip.values["loudness_lufs"] for clip in spoken]),
        rate=_median([rate for clip in spoken if (rate := rate_of(clip)) is not None]),
        pitch_hz=_median([clip.pitch_hz for clip in spoken if clip.pitch_hz is not None]),
        voice=voice,
        sim=sim,
    )


def opinion_of(scores: Sequence[tuple[dict[str, float], float]]) -> Opinion | None:
    """What DNSMOS thinks of the narrator: (scores, length in seconds) of clips with a good sound, at least five."""
    if len(scores) < MIN_CLIPS:
        return None
    return Opinion(
        quality=median(quality_of(score) + short_quality(length) for score, length in scores),
        background=median(score["bak"] + short_background(length) for score, length in scores),
    )


def robust_centroid(embeddings: Floats) -> tuple[Floats, list[int]]:
    """Centroid (256,) of the voice that most embeddings (n, 256) share, and the places of the nearest 60 %.

    Begins at the embedding that is nearest to the others by their median, then moves to the mean of the nearest 60 %
    until those stay the same. Another voice in up to 40 % of the clips does not move it.
    """
    some = embeddings[:: -(-len(embeddings) // _MOST_COMPARED)]
    centre = some[int(np.argmax(np.median(some @ some.T, axis=1)))]
    n_core = max(3, round(_CORE_SHARE * len(embeddings)))
    core: list[int] = []
    for _ in range(_ROUNDS):
        nearest = sorted(np.argsort(-(embeddings @ centre), kind="stable")[:n_core].tolist())
        if nearest == core:
            break
        core = nearest
        mean = np.mean(embeddings[core], axis=0)
        centre = mean / np.linalg.norm(mean)
    return centre, core


def sim_to(clip: Measured, voice: Floats) -> float:
    """SIM of a clip to a voice."""
    assert clip.embedding is not None
    return float(clip.embedding @ voice)


def own_snr_db(clip: Measured) -> float:
    """SNR against the clip's own quietest stretches; the clip is not silent."""
    return clip.values.get("clip_snr_db", clip.values["snr_db"])


def rate_of(clip: Measured) -> float | None:
    """Phones or letters a second between first and last speech; None without text."""
    return clip.n_units / clip.speech_span_s if clip.n_units and clip.speech_span_s > 0 else None


def quality_of(score: dict[str, float]) -> float:
    """Mean of DNSMOS's overall (P.835) and P.808."""
    return (score["ovrl"] + score["p808"]) / 2


def short_sim(length_s: float) -> float:
    """How far SIM of the narrator's clips of a length lies under that of his long ones."""
    return _between(_SHORT_SIM, length_s)


def short_quality(length_s: float) -> float:
    """The same for the mean of DNSMOS."""
    return _between(_SHORT_OPINION, length_s)


def short_background(length_s: float) -> float:
    """The same for DNSMOS's background."""
    return _between(_SHORT_BACKGROUND, length_s)


def _between(points: Sequence[tuple[float, float]], at: float) -> float:
    return float(np.interp(at, [point[0] for point in points], [point[1] for point in points]))


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
