"""Rating of a take from 1 to 5 with its reasons: gates first, then a weighted score of the measures.

Every measure is judged against the narrator's own recordings, because the absolute values of a speaker encoder or
a MOS predictor have no meaning alone. A fault caps the rating and is reported; measures that could not be taken
are left out of the mean and reported. Stress, phrasing, emotion and wrong homophones are not judged.

Limits of the parts are constants at the top, caps are where their faults are found.

Source: formula and thresholds from 339 clips, 45 min of real, generated and damaged speech; own measurement,
August 2026. Short takes: own measurement on 2 to 3 s cuts of the same narration, November 2026.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.rating.fitted_faults import AT_LIMIT, instrument_faults, word_faults
from jobs.rating.instruments.tempo import rate_limits
from jobs.rating.instruments.words import WRONG_WORDS, wrong_words_limit
from jobs.rating.rating_types import Fault, Features, Verdict
from jobs.speaker.narrator_profile import RatingProfile

VERSION = "4"
UNCHECKED = "the words were not checked"
AUTOMATIC_CAP = 4.5  # shown at most, until a person has listened
WEIGHTS = {"intelligibility": 0.35, "voice": 0.30, "sound": 0.20, "timing": 0.15}

# Every threshold, in the order of the gates. A ramp is 1 at its first number, 0 at its second.
MIN_LEVEL_DBFS = -60.0
MIN_ENVELOPE_SD_DB = 3.5  # speech 7.7 to 17; noise, buzz below
MIN_DNSMOS = 1.35

MIN_WORDS = 6  # fewer words, or less speech than MIN_SPEECH_S: one missed word looks like a bad take
MIN_SPEECH_S = 3.0
WORDS_RAMP = (0.08, 0.55)  # the first above the narrator's own word error rate
WORDS_LOST = 0.60
WORST_OWN_WER = 0.40  # a recogniser that misses more of the narrator's own words cannot judge a take
CUT_TAIL_S = 0.03  # silence after the last speech; 62 true texts of real and generated speech all aligned

MIN_VOICE_S = 2.0  # below, the same speaker scores 0.78 to 0.83
PITCH_SHIFT_ST = 3.2

SOUND_RAMP = (-0.05, -1.10)  # half of each DNSMOS difference to the narrator
SOUND_POOR = -0.55
FLAT_SHARE = 0.01  # equal neighbours at the peak; hard clipping 0.15

LONGEST_TAIL_S = 1.0
LONGEST_PAUSE_S, LONGEST_PAUSE = 1.2, 2.0  # seconds, and times the narrator's usual
TOO_SLOW_BY, TOO_FAST_BY = 0.65, 1.20  # times the limit: nothing is left of the part
FAST_CAP, SLOW_CAP = 4.0, 1.8  # 0.6 times the speed is heard at once, 1.35 times is not
AT_EDGE = 0.2  # of the ramp, within which the cap falls from that of a distance at its limit

# Drift of a batch. Ten sentences of the narrator average to within 4 % of the narrator's rate and 0.3 semitones.
MIN_BATCH = 10
BATCH_RATE = (0.88, 1.12)
BATCH_PITCH_ST = 1.0
BATCH_PAUSE_S = 0.2  # at punctuation marks; two narrators' own clips average 0.05 below their medians of 0.3
BATCH_SIM = 0.05  # below the narrator's own; clones of the right voice lie 0.05 below, another channel 0.2


@dataclass(frozen=True)
class VoiceLimits:
    """SIM of one speaker encoder below which a voice is another one; ``zero`` is the foot of the voice's ramp."""

    another: float
    far: float
    zero: float


# GE2E: the narrator 0.93 to 0.98 to the own centroid, 84 clips of others 0.57, at most 0.71.
GE2E_LIMITS = VoiceLimits(another=0.76, far=0.60, zero=0.72)
GE2E_OWN, GE2E_OTHERS = 0.961, 0.57
MIN_SEPARATION = 0.15  # an encoder that puts the narrator and others nearer than this cannot judge the voice


def fitted_limits(own: float, others: float) -> VoiceLimits:
    """Compute the limits of another encoder, at the same share between other voices and the narrator as GE2E's.

    Both are median SIM by that encoder: of the narrator's clips to the rest of them, of other voices to the narrator.
    """

    def at(limit: float) -> float:
        return others + (limit - GE2E_OTHERS) / (GE2E_OWN - GE2E_OTHERS) * (own - others)

    return VoiceLimits(at(GE2E_LIMITS.another), at(GE2E_LIMITS.far), at(GE2E_LIMITS.zero))


@dataclass(frozen=True)
class _Part:
    value: float | None
    faults: tuple[Fault, ...] = ()


def rate(features: Features, profile: RatingProfile, limits: VoiceLimits | None = GE2E_LIMITS) -> Verdict:
    """Rate a take against its narrator, both measured with the same models; limits None: the voice is not judged.

    Rating = min(caps, 1 + 4 (½ weighted mean + ½ weakest part)): one bad part cannot hide behind good ones.
    """
    nothing = _not_speech(features)
    if nothing is not None:
        return Verdict(1.0, 1.0, (nothing,), 0.0, 0.0, 0.0, 0.0)
    parts = {
        "intelligibility": _intelligibility(features, profile),
        "voice": _voice(features, profile, limits),
        "sound": _sound(features, profile),
        "timing": _timing(features, profile),
    }
    too_short = _too_short(features, profile, parts)
    faults = sorted(
        (*too_short, *(fault for part in parts.values() for fault in part.faults)), key=lambda fault: fault.cap
    )
    score = 1 + 4 * _blend((WEIGHTS[name], part.value) for name, part in parts.items())
    uncapped = round(max(1.0, min([score, *(fault.cap for fault in faults)])), 2)
    values = {name: None if part.value is None else round(part.value, 3) for name, part in parts.items()}
    return Verdict(min(uncapped, AUTOMATIC_CAP), uncapped, tuple(faults), **values, is_too_short=bool(too_short))


def is_short(features: Features, profile: RatingProfile) -> bool:
    """True when a take's text is too short for its words to be counted: few words, or soon said by the narrator.

    Not how long the take itself is: a long text that is said in two seconds, or cut off after them, is no short text.
    """
    expected_s = features.prosody.speech_span_s
    if features.speaking_rate and profile.speaking_rate:
        expected_s *= features.speaking_rate / profile.speaking_rate
    return features.n_words < MIN_WORDS or expected_s < MIN_SPEECH_S


def _too_short(features: Features, profile: RatingProfile, parts: Mapping[str, _Part]) -> tuple[Fault, ...]:
    """Say that there is nothing to judge by: a short text, too little speech for a voice, no text recognised."""
    span_s = features.prosody.speech_span_s
    is_judged = span_s >= MIN_VOICE_S or features.hit_limit or features.heard or not is_short(features, profile)
    if is_judged or parts["intelligibility"].value is not None:
        return ()
    why = (
        f"too short to judge: {span_s:.1f} s of speech, {features.n_words} words (the voice needs {MIN_VOICE_S:.0f} s, "
        f"the words {MIN_SPEECH_S:.0f} s and {MIN_WORDS}), so there is no rating"
    )
    return (Fault("too_short", why),)


def ramp(value: float, good: float, bad: float) -> float:
    """1 at ``good`` or better, 0 at ``bad`` or worse, straight between."""
    return max(0.0, min(1.0, (value - bad) / (good - bad)))


def _not_speech(features: Features) -> Fault | None:
    sound = features.prosody
    if sound.is_silent or sound.level_dbfs < MIN_LEVEL_DBFS:
        why = f"there is no sound: the loud parts reach {sound.level_dbfs:.0f} dBFS (speech needs {MIN_LEVEL_DBFS:.0f})"
        return Fault("silent", why, 1.0)
    if sound.envelope_sd_db < MIN_ENVELOPE_SD_DB:
        moves = f"its level moves by {sound.envelope_sd_db:.1f} dB"
        why = f"this is not speech: {moves} (speech 8 to 17, limit {MIN_ENVELOPE_SD_DB})"
        return Fault("not_speech", why, 1.0)
    if features.ovrl < MIN_DNSMOS:
        return Fault("not_speech", f"this is not speech: DNSMOS is {features.ovrl:.2f} (limit {MIN_DNSMOS})", 1.0)
    return None


def _intelligibility(features: Features, profile: RatingProfile) -> _Part:
    faults: list[Fault] = []
    if features.another_fits:
        faults.append(Fault("another_text", "another text of this batch fits the audio better than its own", 2.5))
    if features.wer is None or (profile.wer or 0.0) > WORST_OWN_WER:
        faults.append(_words_unchecked(features, profile))
        return _Part(None, tuple(faults))
    if features.aligns is False:
        faults.append(_not_aligned(features))
    wer = features.wer
    if wer >= WORDS_LOST and features.heard is False:
        why = f"another text is spoken: word error rate {wer:.2f} (limit {WORDS_LOST}), and the text does not fit best"
        return _Part(0.0, (*faults, Fault("text_not_heard", why, 1.0)))
    if is_short(features, profile):
        # A missed word of five is 0.2; real clips of 1.5 s were given 0.75 and 1.67. Alignment and the comparison
        # with the other texts hold at this length, the error rate does not.
        why = (
            f"short ({features.prosody.speech_span_s:.1f} s of speech, {features.n_words} words): the word error rate "
            f"({wer:.2f}) does not count below {MIN_SPEECH_S:.0f} s or {MIN_WORDS} words"
        )
        faults.append(Fault("short", why))
        return _Part(None, tuple(faults))
    faults += word_faults(features, profile)
    measured = f"word error rate {wer:.2f}"
    if wer >= WORDS_LOST:
        faults.append(Fault("text_not_heard", f"the text is not heard: {measured} (limit {WORDS_LOST})", 1.0))
    elif wer >= (limit := wrong_words_limit(profile.references, features.n_words)):
        faults.append(Fault(WRONG_WORDS, f"words are wrong or missing: {measured} (limit {limit:.2f})", 3.0))
    good, bad = WORDS_RAMP
    return _Part(ramp(wer, (profile.wer or 0.0) + good, bad), tuple(faults))


def _not_aligned(features: Features) -> Fault:
    why = "the text does not align with the audio to its end"
    if features.prosody.tail_s <= CUT_TAIL_S:
        return Fault("cut_off", f"cut off in mid-speech: {why}, and the audio ends without a pause", 2.5)
    return Fault("not_aligned", why, 3.0)


def _words_unchecked(features: Features, profile: RatingProfile) -> Fault:
    if profile.wer is not None and profile.wer > WORST_OWN_WER:
        why = f"the recogniser misses {profile.wer:.0%} of the narrator's own words (limit {WORST_OWN_WER:.0%})"
    elif features.n_words == 0:
        why = "the take has no text that could be checked"
    elif features.language != "english":
        language = "of unknown language (auto)" if features.language == "auto" else features.language
        why = f"recognition offline is English only and this take is {language}"
    else:
        why = "the take is too long to align"
    # Reversed speech or another sentence would pass unseen.
    return Fault("words_unchecked", f"{UNCHECKED}: {why}", 4.0)


def _voice(features: Features, profile: RatingProfile, limits: VoiceLimits | None) -> _Part:
    faults = [*_pitch_faults(features, profile), *instrument_faults("voice", features, profile)]
    if limits is None:
        why = "the voice was not judged: this speaker encoder does not separate the narrator from other voices"
        return _Part(None, (*faults, Fault("voice_unchecked", why, 4.0)))
    span_s = features.prosody.speech_span_s
    if span_s < MIN_VOICE_S:
        why = f"the voice was not judged: {span_s:.1f} s of speech (needs {MIN_VOICE_S:.0f} s)"
        return _Part(None, (*faults, Fault("voice_unchecked", why)))
    own = profile.at(features.prosody.duration_s)
    shift = min(0.0, own.sim - profile.whole.sim)  # short clips of the narrator score lower too
    far, another = limits.far + shift, limits.another + shift
    seen = f"SIM {features.sim:.2f} (limit {far if features.sim < far else another:.2f}, narrator {own.sim:.2f})"
    if _sound(features, profile).faults:
        seen += "; poor sound lowers SIM too; improve it first"
    if features.sim < far:
        faults.append(Fault("far_voice", f"far from the narrator's voice: {seen}", 2.0))
    elif features.sim < another:
        faults.append(Fault("another_voice", f"another voice than the narrator's: {seen}", 2.5))
    good = own.sim - 0.01
    # The own SIM of a narrator with varying acoustics is low; the ramp keeps a width.
    return _Part(ramp(features.sim, good, min(limits.zero + shift, good - 0.05)), tuple(faults))


def _pitch_faults(features: Features, profile: RatingProfile) -> Iterable[Fault]:
    sound = features.prosody
    if sound.pitch_hz and profile.pitch_hz:
        shift_st = 12 * math.log2(sound.pitch_hz / profile.pitch_hz)
        if abs(shift_st) > PITCH_SHIFT_ST:
            where = "above" if shift_st > 0 else "below"
            why = f"pitch {abs(shift_st):.1f} semitones {where} the narrator's (limit {PITCH_SHIFT_ST})"
            yield Fault("pitch", why, 3.2)


def _sound(features: Features, profile: RatingProfile) -> _Part:
    own = profile.at(features.prosody.duration_s)
    difference = 0.5 * (features.ovrl - own.ovrl) + 0.5 * (features.p808 - own.p808)
    faults: list[Fault] = []
    if difference < SOUND_POOR:
        why = f"sounds worse than the narrator: DNSMOS {difference:+.2f} (limit {SOUND_POOR})"
        faults.append(Fault("sound", why, 3.2))
    if features.prosody.flat_share > FLAT_SHARE:
        why = f"clipped: {features.prosody.flat_share:.1%} of the samples are flat at the peak (limit {FLAT_SHARE:.0%})"
        faults.append(Fault("clipped", why, 2.5))
    faults += instrument_faults("sound", features, profile)
    return _Part(ramp(difference, *SOUND_RAMP), tuple(faults))


def _timing(features: Features, profile: RatingProfile) -> _Part:
    faults: list[Fault] = []
    sound = features.prosody
    if features.hit_limit:
        faults.append(Fault("no_end", "no end of speech before the limit: the take was cut off", 1.5))
    if sound.tail_s > LONGEST_TAIL_S:
        why = f"{sound.tail_s:.1f} s of silence at the end (limit {LONGEST_TAIL_S} s)"
        faults.append(Fault("long_tail", why, 3.5))
    limit_s = max(LONGEST_PAUSE_S, LONGEST_PAUSE * profile.longest_pause_s)
    if sound.longest_pause_s > limit_s:
        faults.append(Fault("long_pause", f"a pause of {sound.longest_pause_s:.1f} s (limit {limit_s:.1f} s)", 3.5))
    faults += instrument_faults("timing", features, profile)
    if not features.speaking_rate or not profile.speaking_rate:
        why = "the speaking rate was not judged: there is no text in the narrator's language to count"
        return _Part(None, (*faults, Fault("rate_unchecked", why)))
    ratio = features.speaking_rate / profile.speaking_rate
    slow, fast = rate_limits(profile.references, is_short=is_short(features, profile))
    value = min(ramp(ratio, slow, TOO_SLOW_BY * slow), ramp(ratio, fast, TOO_FAST_BY * fast))
    if value < 1:
        code, limit, cap = ("too_fast", fast, FAST_CAP) if ratio > 1 else ("too_slow", slow, 1.9 + SLOW_CAP * value)
        cap += max(0.0, 1 - (1 - value) / AT_EDGE) * (AT_LIMIT - cap)
        why = f"speaks {ratio:.2g} times as fast as the narrator (limit {limit:.2f})"
        faults.append(Fault(code, why, 1.9 if value == 0 else round(cap, 2)))
    return _Part(value, tuple(faults))


def _blend(parts: Iterable[tuple[float, float | None]]) -> float:
    """Half the weighted mean of the known parts, half the weakest of them."""
    known = [(weight, value) for weight, value in parts if value is not None]
    mean = sum(weight * value for weight, value in known) / sum(weight for weight, _ in known)
    return 0.5 * mean + 0.5 * min(value for _, value in known)
