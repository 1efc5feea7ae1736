"""Profile of a dataset's narrator, robust against clips of other voices."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from jobs.audio.mel import Floats
from jobs.dataset.quality.measure_clip import Measured
from jobs.speaker.narrator_profile import MIN_PROFILE_CLIPS, NarratorProfile, median_of_known
from jobs.speaker.similarity import compute_sim, robust_centroid

MIN_VOICE_S = 1.0  # below, an embedding is not informative
FULL_VOICE_S = 4.0

# SIM of the narrator's own shorter clips under that of long ones (real narration cut to length, November 2026)
_SHORT_SIM = ((1.0, 0.16), (2.0, 0.085), (4.0, 0.035), (8.0, 0.0))
# the same for DNSMOS, which repeats a clip until 9 s are full: clips of 1.8 to 2.6 s against those of over 4 s
_SHORT_OPINION = ((2.0, 0.30), (3.0, 0.20), (4.0, 0.08), (6.0, 0.0))
_SHORT_BACKGROUND = ((2.0, 0.75), (3.0, 0.6), (4.0, 0.25), (6.0, 0.0))


@dataclass(frozen=True, kw_only=True)
class DatasetProfile(NarratorProfile):
    """Profile that the clips of a dataset are compared with. None: too few clips, or not measured.

    ``snr_db`` is against the quietest parts of each clip; ``voice`` is the centroid of the core of the speaker
    embeddings, (256,), unit length; ``sim`` the median SIM of the core to it, as long clips have it.
    """

    snr_db: float | None
    loudness_lufs: float | None
    voice: Floats | None
    sim: float | None


@dataclass(frozen=True)
class DnsmosScores:
    """Median DNSMOS scores of the narrator's clips, as long clips have them."""

    quality: float
    background: float


def build_profile(clips: Sequence[Measured], sims: Sequence[float] | None = None) -> DatasetProfile:
    """Compute the profile of clips, most of which are the narrator's."""
    spoken = [clip for clip in clips if clip.values]
    voices = [clip for clip in spoken if clip.embedding is not None and clip.speech_span_s >= MIN_VOICE_S]
    voice, sim = None, None
    if len(voices) >= MIN_PROFILE_CLIPS:
        long = [clip for clip in voices if clip.speech_span_s >= FULL_VOICE_S]
        used = long if len(long) >= max(MIN_PROFILE_CLIPS, len(voices) // 4) else voices
        embeddings = np.stack([clip.embedding for clip in used if clip.embedding is not None])
        voice, core = robust_centroid(embeddings)
        sim = median(compute_sim(embeddings[place], voice) + short_sim(used[place].speech_span_s) for place in core)
    return DatasetProfile(
        n_clips=len(spoken),
        snr_db=median_of_known(map(own_snr_db, spoken)),
        loudness_lufs=median_of_known(clip.values["loudness_lufs"] for clip in spoken),
        speaking_rate=median_of_known(map(compute_speaking_rate, spoken)),
        pitch_hz=median_of_known(clip.pitch_hz for clip in spoken),
        voice=voice,
        sim=sim,
    )


def build_dnsmos_scores(scores: Sequence[tuple[dict[str, float], float]]) -> DnsmosScores | None:
    """Compute the narrator's DNSMOS from (scores, length in seconds) of at least five clips with good sound."""
    if len(scores) < MIN_PROFILE_CLIPS:
        return None
    return DnsmosScores(
        quality=median(quality_of(score) + short_quality(length) for score, length in scores),
        background=median(score["bak"] + short_background(length) for score, length in scores),
    )


def own_snr_db(clip: Measured) -> float:
    """SNR against the clip's own quietest parts; the clip is not silent."""
    return clip.values.get("clip_snr_db", clip.values["snr_db"])


def compute_speaking_rate(clip: Measured) -> float | None:
    """Compute phones or letters per second between first and last speech; None without text."""
    return clip.n_units / clip.speech_span_s if clip.n_units and clip.speech_span_s > 0 else None


def quality_of(score: dict[str, float]) -> float:
    """Mean of DNSMOS's overall (P.835) and P.808."""
    return (score["ovrl"] + score["p808"]) / 2


def short_sim(length_s: float) -> float:
    """Return how far SIM of the narrator's clips of a length is below that of long clips."""
    return _between(_SHORT_SIM, length_s)


def short_quality(length_s: float) -> float:
    """Return the same for the mean of DNSMOS."""
    return _between(_SHORT_OPINION, length_s)


def short_background(length_s: float) -> float:
    """Return the same for DNSMOS's background."""
    return _between(_SHORT_BACKGROUND, length_s)


def _between(points: Sequence[tuple[float, float]], at: float) -> float:
    return float(np.interp(at, [point[0] for point in points], [point[1] for point in points]))
