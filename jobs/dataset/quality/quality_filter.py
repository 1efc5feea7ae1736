"""Quality filter: the first limit that a clip breaks, with value and limit.

Sound is judged before rate and rate before voice: noise makes a voice look like another one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.dataset.quality.measure_clip import Measured
from jobs.dataset.quality.narrator_stats import (
    MIN_VOICE_S,
    DatasetProfile,
    DnsmosScores,
    build_profile,
    compute_speaking_rate,
    own_snr_db,
    quality_of,
    short_background,
    short_quality,
    short_sim,
)
from jobs.dataset.quality.signal_metrics import is_tonal
from jobs.dataset.quality.thresholds import Thresholds
from jobs.speaker.similarity import compute_sim

DOUBT_DB = 8.0  # a background that far above the narrator's own is worth a DNSMOS measurement
BACKGROUND_DROP = 0.6  # DNSMOS's background: chords 20 dB under the speech 0.68 and more, real clips 0.35 and less
CLEARLY_TONAL_DB = 10.0  # without DNSMOS
SHORT_S, SHORT_WORDS = 3.0, 6
SHORT_RATE = (0.9, 1.08)  # widens the limits for phrases: real ones of 2 to 3 s vary from 0.67 to 1.3
LEAST_SIM = 0.76  # of long clips; below is another voice, regardless of the narrator's variance


@dataclass(frozen=True)
class QualityRejection:
    """A limit that a clip breaks; ``reason`` is stable, ``detail`` a sentence with value and limit."""

    reason: str
    value: float
    limit: float
    detail: str


def find_absolute_rejection(clip: Measured, limits: Thresholds) -> QualityRejection | None:
    """Return the first limit broken that needs no narrator to compare with."""
    return next(_absolute(clip, limits), None)


def is_doubtful(clip: Measured, narrator: DatasetProfile) -> bool:
    """True when DNSMOS should rate a clip that is not in the sample."""
    return _background_rise(clip, narrator) >= DOUBT_DB


def find_rejection(
    clip: Measured,
    narrator: DatasetProfile,
    limits: Thresholds,
    *,
    score: Mapping[str, float] | None = None,
    own: DnsmosScores | None = None,
    text_match: float | None = None,
) -> QualityRejection | None:
    """Return the first limit that a clip breaks.

    ``score`` is the DNSMOS of this clip, ``own`` that of the narrator's clips, ``text_match`` the share of the clip's
    text that is recognised; None: not measured.
    """
    rejections = (
        *_absolute(clip, limits),
        *_against_narrator(clip, narrator, limits, score, own),
        *_words(clip, narrator, limits, text_match),
        *_voice(clip, narrator, limits),
    )
    return rejections[0] if rejections else None


def build_profile_of_good_clips(clips: Sequence[Measured], limits: Thresholds) -> DatasetProfile:
    """Compute the profile of the good clips in the narrator's own voice; of all clips when nearly none is good."""
    good = [clip for clip in clips if find_absolute_rejection(clip, limits) is None]
    narrator = build_profile(good if len(good) >= 2 else clips)
    own = [clip for clip in good if not list(_voice(clip, narrator, limits))]
    return build_profile(own) if len(own) >= 2 else narrator


def _absolute(clip: Measured, limits: Thresholds) -> Iterator[QualityRejection]:
    if not clip.values:
        if limits.min_envelope_sd_db is not None:
            yield QualityRejection("not_speech", 0.0, limits.min_envelope_sd_db, "there is no sound")
        return
    value = clip.values
    yield from _below("not_speech", value["envelope_sd_db"], limits.min_envelope_sd_db, "its level moves by {} dB")
    yield from _above(
        "clipped", value["clipped_share"], limits.max_clipped_share, "{} of its samples are flat at the peak"
    )
    yield from _below(
        "noisy", min(value["snr_db"], own_snr_db(clip)), limits.min_snr_db, "the speech is {} dB above the background"
    )
    yield from _below("narrow_band", value["bandwidth_hz"], limits.min_bandwidth_hz, "nothing above {} Hz")
    edge = max(value["head_s"], value["tail_s"])
    yield from _above("long_silence", edge, limits.max_edge_silence_s, "{} s of silence at an end")
    yield from _above("long_pause", value["longest_pause_s"], limits.max_pause_s, "a pause of {} s")


def _against_narrator(
    clip: Measured,
    narrator: DatasetProfile,
    limits: Thresholds,
    score: Mapping[str, float] | None,
    own: DnsmosScores | None,
) -> Iterator[QualityRejection]:
    if not clip.values:
        return
    yield from _music(clip, narrator, limits, score, own)
    if narrator.loudness_lufs is not None:
        shift = abs(clip.values["loudness_lufs"] - narrator.loudness_lufs)
        yield from _above("off_loudness", shift, limits.max_loudness_shift_lu, "{} LU from the narrator's loudness")
    if score is not None and own is not None:
        drop = own.quality - short_quality(clip.speech_span_s) - quality_of(dict(score))
        yield from _above("poor_sound", drop, limits.max_dnsmos_drop, "DNSMOS {} under the narrator's own")


def _music(
    clip: Measured,
    narrator: DatasetProfile,
    limits: Thresholds,
    score: Mapping[str, float] | None,
    own: DnsmosScores | None,
) -> Iterator[QualityRejection]:
    tones = clip.values["tonality_db"]
    if not is_tonal(tones):
        return
    if score is not None and own is not None:
        drop = own.background - short_background(clip.speech_span_s) - score["bak"]
        if drop < BACKGROUND_DROP:
            return
    elif tones < CLEARLY_TONAL_DB:
        return
    rise = _background_rise(clip, narrator)
    yield from _above("music", rise, limits.max_music_db, "steady tones {} dB above the narrator's own background")


def _background_rise(clip: Measured, narrator: DatasetProfile) -> float:
    if not clip.values or narrator.snr_db is None:
        return 0.0
    return narrator.snr_db - own_snr_db(clip)


def _words(
    clip: Measured, narrator: DatasetProfile, limits: Thresholds, text_match: float | None
) -> Iterator[QualityRejection]:
    if text_match is not None:
        yield from _below("words_differ", text_match, limits.min_text_match, "{} of its text is heard")
    rate = compute_speaking_rate(clip)
    if rate is None or not narrator.speaking_rate:
        return
    is_short = clip.speech_span_s < SHORT_S or clip.n_words < SHORT_WORDS
    wider_down, wider_up = SHORT_RATE if is_short else (1.0, 1.0)
    ratio = rate / narrator.speaking_rate
    said = "{} times the narrator's rate"
    if limits.min_rate is not None:
        yield from _below("too_slow", ratio, limits.min_rate * wider_down, said)
    if limits.max_rate is not None:
        yield from _above("too_fast", ratio, limits.max_rate * wider_up, said)


def _voice(clip: Measured, narrator: DatasetProfile, limits: Thresholds) -> Iterator[QualityRejection]:
    if narrator.voice is None or narrator.sim is None or clip.embedding is None or limits.max_sim_drop is None:
        return
    if clip.speech_span_s < MIN_VOICE_S:
        return
    least = max(LEAST_SIM, narrator.sim - limits.max_sim_drop) - short_sim(clip.speech_span_s)
    yield from _below(
        "another_voice", compute_sim(clip.embedding, narrator.voice), least, "SIM {} to the narrator's centroid"
    )


def _below(reason: str, value: float, limit: float | None, said: str) -> Iterator[QualityRejection]:
    if limit is not None and value < limit:
        yield QualityRejection(
            reason, _round(value), _round(limit), f"{said.format(f'{value:.4g}')} (at least {limit:.3g})"
        )


def _above(reason: str, value: float, limit: float | None, said: str) -> Iterator[QualityRejection]:
    if limit is not None and value > limit:
        yield QualityRejection(
            reason, _round(value), _round(limit), f"{said.format(f'{value:.4g}')} (at most {limit:.3g})"
        )


def _round(value: float) -> float:
    return round(value, 4)
