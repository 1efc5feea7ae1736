"""The rating formula on measures written by hand: no audio, no models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobs.audio.acoustic_features import Prosody
from jobs.rating.instruments.tempo import fit_rates
from jobs.rating.instruments.words import CHANGED, WordChange, fit_wrong_words
from jobs.rating.rating_types import Features, Verdict
from jobs.rating.scoring import AUTOMATIC_CAP, ramp, rate
from jobs.speaker.narrator_profile import LengthScores, RatingProfile, Reference

NARRATOR = RatingProfile(
    n_clips=20,
    language="english",
    own=(LengthScores(2.0, 0.88, 2.5, 3.4), LengthScores(4.0, 0.94, 3.0, 3.8), LengthScores(7.0, 0.96, 3.3, 4.0)),
    speaking_rate=11.0,
    rate_unit="phones/s",
    longest_pause_s=0.35,
    pitch_hz=220.0,
    wer=0.0,
    references={
        "monotone": Reference((1.8,), 0.5, 20),
        "dull": Reference((0.0,) * 34, 9.0, 20),
        "clicks": Reference((0.4,), 1.2, 20),
        CHANGED: Reference((0.0,), 40.0, 20),
    },
)
SOUND = Prosody(
    duration_s=7.2,
    level_dbfs=-18.0,
    is_silent=False,
    envelope_sd_db=11.0,
    speech_span_s=7.0,
    tail_s=0.1,
    longest_pause_s=0.4,
    flat_share=0.0,
    treble_db=-12.5,
    pitch_hz=218.0,
    pitch_sd_st=4.4,
)
GOOD = Features(
    prosody=SOUND, sim=0.96, ovrl=3.35, p808=4.0, n_words=19, speaking_rate=11.2, wer=0.0, aligns=True, heard=True
)


def skipped(evidence: float) -> WordChange:
    """A word that was left out."""
    return WordChange(kind="skipped", index=3, word="relief", at_s=1.25, evidence=evidence)


def rated(sound: dict[str, Any] | None = None, **changes: Any) -> Verdict:
    """The good take with changes to its prosody and its other measures, rated."""
    return rate(replace(GOOD, prosody=replace(SOUND, **(sound or {})), **changes), NARRATOR)


def codes(verdict: Verdict) -> list[str]:
    """Return the codes of the faults, worst first."""
    return [fault.code for fault in verdict.faults]


def test_a_take_without_faults_is_shown_as_the_cap_and_ranked_as_five() -> None:
    verdict = rated()

    assert (verdict.rating, verdict.uncapped, verdict.faults) == (AUTOMATIC_CAP, 5.0, ())
    assert (verdict.intelligibility, verdict.voice, verdict.sound, verdict.timing) == (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("sound", "changes", "code", "at_most"),
    [
        ({"is_silent": True}, {}, "silent", 1.0),
        ({"level_dbfs": -66.0}, {}, "silent", 1.0),
        ({"envelope_sd_db": 2.1}, {}, "not_speech", 1.0),
        ({}, {"ovrl": 1.1}, "not_speech", 1.0),
        ({}, {"hit_limit": True}, "no_end", 1.5),
        ({}, {"speaking_rate": 21.0}, "too_fast", 1.9),
        ({}, {"speaking_rate": 4.0}, "too_slow", 1.9),
        ({}, {"speaking_rate": 14.5}, "too_fast", 4.0),
        ({"tail_s": 1.4}, {}, "long_tail", 3.5),
        ({"longest_pause_s": 2.0}, {}, "long_pause", 3.5),
        ({}, {"wer": 0.7}, "text_not_heard", 1.0),
        ({}, {"wer": 0.3}, "words_wrong", 3.0),
        ({}, {"aligns": False}, "not_aligned", 3.0),
        ({"tail_s": 0.0}, {"aligns": False}, "cut_off", 2.5),
        ({}, {"heard": False, "another_fits": True}, "another_text", 2.5),
        ({}, {"sim": 0.70}, "another_voice", 2.5),
        ({}, {"sim": 0.55}, "far_voice", 2.0),
        ({"pitch_hz": 290.0}, {}, "pitch", 3.2),
        ({}, {"distances": {"monotone": 0.63}}, "monotone", 3.0),
        ({}, {"distances": {"monotone": 3.0}}, "monotone", 2.0),
        ({}, {"distances": {"clicks": 4.0}}, "clicks", 2.0),
        ({}, {"speaking_rate": 6.6}, "too_slow", 3.0),
        ({}, {"changes": (skipped(60.0),)}, "word_skipped", 3.0),
        ({}, {"ovrl": 2.5, "p808": 3.4}, "sound", 3.2),
        ({"flat_share": 0.15}, {}, "clipped", 2.5),
        ({}, {"distances": {"dull": 12.0}}, "dull", 3.0),
    ],
)
def test_every_fault_caps_the_rating_and_is_named(
    sound: dict[str, Any], changes: dict[str, Any], code: str, at_most: float
) -> None:
    verdict = rated(sound, **changes)

    assert code in codes(verdict)
    assert verdict.uncapped <= at_most


def test_a_distance_just_beyond_its_limit_costs_little_and_a_quarter_more_costs_the_whole_cap() -> None:
    at_limit, quarter_more, twice = (
        rated(distances={"monotone": times * 0.5}).uncapped for times in (1.001, 1.25, 2.25)
    )

    assert (at_limit, quarter_more, twice) == (4.49, 3.0, 2.5)


def test_the_speaking_rate_is_judged_by_the_narrators_own_spread() -> None:
    lively = replace(NARRATOR, references=fit_rates([8.0, 9.0, 11.0, 11.0, 12.0, 13.0, 14.2], 5))
    steady = replace(NARRATOR, references=fit_rates([11.0, 10.9, 11.1, 11.2, 10.8, 11.0, 11.0], 5))
    slow, fast = replace(GOOD, speaking_rate=7.7), replace(GOOD, speaking_rate=14.6)

    assert [rate(take, lively).faults for take in (slow, fast)] == [(), ()]
    assert [rate(take, steady).faults[0].code for take in (slow, fast)] == ["too_slow", "too_fast"]
    assert rate(replace(GOOD, speaking_rate=0.5 * 11), lively).uncapped < 3
    assert rate(replace(GOOD, speaking_rate=2 * 11), lively).uncapped == 1.9


def test_two_misheard_words_of_a_short_text_are_left_to_the_evidence() -> None:
    assert rated(n_words=8, wer=0.25).faults == ()
    assert codes(rated(n_words=8, wer=0.375)) == ["words_wrong"]


def test_a_recogniser_that_mishears_the_narrator_too_is_believed_less() -> None:
    old_spelling = replace(NARRATOR, references=fit_wrong_words([0.1, 0.0, 0.3, 0.1, 0.2, 0.1], 5))

    assert rate(replace(GOOD, wer=0.3), old_spelling).faults == ()
    assert rate(replace(GOOD, wer=0.5), old_spelling).faults[0].code == "words_wrong"


def test_a_short_word_is_added_only_with_more_evidence() -> None:
    added = WordChange(kind="added", index=3, word="an", at_s=0.9, evidence=50.0)

    assert rated(changes=(added,)).faults == ()
    assert codes(rated(changes=(added.model_copy(update={"evidence": 90.0}),))) == ["word_added"]
    assert codes(rated(changes=(added.model_copy(update={"word": "another"}),))) == ["word_added"]


def test_a_pause_inside_a_phrase_is_a_fault_of_timing() -> None:
    pausing = replace(NARRATOR, references={"pause_in_phrase": Reference((0.0,), 0.5, 20)})
    verdict = rate(replace(GOOD, distances={"pause_in_phrase": 1.25}), pausing)

    assert verdict.faults[0].reason == "pauses inside a phrase, 1.2 s longer than the narrator's usual (limit 0.5 s)"
    assert verdict.uncapped == 3.38


def test_a_reason_says_the_value_and_the_limit() -> None:
    verdict = rated(speaking_rate=20.9)

    assert [fault.reason for fault in verdict.faults] == ["speaks 1.9 times as fast as the narrator (limit 1.25)"]


def test_a_low_sim_with_poor_sound_points_at_the_sound() -> None:
    noisy = rated(sim=0.67, ovrl=2.1, p808=2.7)

    assert "poor sound lowers SIM too" in next(f.reason for f in noisy.faults if f.code == "another_voice")
    assert "poor sound" not in rated(sim=0.67).faults[0].reason


def test_a_changed_word_is_named_with_its_place_and_only_beyond_the_narrators_limit() -> None:
    assert rated(changes=(skipped(60.0),)).faults[0].reason == "skipped 'relief' at 1.2 s (evidence 60, limit 40)"
    assert rated(changes=(skipped(39.0),)).faults == ()
    misread = WordChange(kind="misread", index=3, word="that is", heard="eye he", at_s=2.7, evidence=147.0)
    assert rated(changes=(misread,)).faults == ()


def test_a_take_shorter_than_the_clips_of_the_limits_is_not_compared_with_them() -> None:
    fitted_on = replace(NARRATOR, shortest_fitted_s=3.0)
    short = replace(GOOD, prosody=replace(SOUND, speech_span_s=2.9), distances={"monotone": 3.0, "clicks": 9.0})

    assert set(codes(rate(short, fitted_on))) == {"short", "colour_unchecked"}
    assert codes(rate(replace(short, prosody=SOUND), fitted_on)) == ["monotone", "clicks"]


def test_reasons_come_worst_first() -> None:
    verdict = rated({"tail_s": 1.4, "flat_share": 0.2}, hit_limit=True)

    assert codes(verdict) == ["no_end", "clipped", "long_tail"]


def test_one_bad_part_cannot_hide_behind_good_ones() -> None:
    verdict = rated(sim=0.80)  # voice (0.80 - 0.72) / (0.95 - 0.72) = 0.348

    mean = 0.35 + 0.30 * 0.3478 + 0.20 + 0.15
    assert verdict.voice == pytest.approx(0.348, abs=0.001)
    assert verdict.uncapped == pytest.approx(1 + 4 * (0.5 * mean + 0.5 * 0.3478), abs=0.01)


def test_a_short_take_is_not_failed_by_its_word_error_rate() -> None:
    short = rated({"duration_s": 2.0, "speech_span_s": 1.9}, n_words=4, wer=0.75, sim=0.86, ovrl=2.5, p808=3.4)

    assert short.intelligibility is None
    assert short.uncapped >= 4.5
    assert "does not count below 3 s or 6 words" in next(f.reason for f in short.faults if f.code == "short")


def test_a_short_take_of_another_text_is_failed_when_both_instruments_agree() -> None:
    short = rated({"speech_span_s": 2.4}, n_words=7, wer=0.9, heard=False)

    assert short.rating == 1.0


def test_a_take_too_short_for_the_voice_says_so() -> None:
    short = rated({"duration_s": 1.6, "speech_span_s": 1.5}, n_words=4, sim=0.5)

    assert short.voice is None
    assert "voice_unchecked" in codes(short)
    assert "another_voice" not in codes(short)


def test_a_short_take_is_compared_with_clips_as_short() -> None:
    same_sim: dict[str, Any] = {"sim": 0.87, "ovrl": 2.5, "p808": 3.4}

    short = rated({"duration_s": 2.0, "speech_span_s": 2.0}, **same_sim)
    long = rated(**same_sim)

    assert (short.voice, short.sound) == (1.0, 1.0)
    assert long.voice is not None
    assert long.voice < 0.7
    assert "sound" in codes(long)


def test_what_the_narrator_scores_between_two_lengths_is_interpolated() -> None:
    own = NARRATOR.at(3.0)

    assert (own.sim, own.ovrl, own.p808) == pytest.approx((0.91, 2.75, 3.6))
    assert NARRATOR.at(1.0).sim == 0.88
    assert NARRATOR.at(30.0).sim == 0.96


def test_another_language_is_rated_without_its_words_and_never_above_four() -> None:
    german = rated(language="german", wer=None, aligns=None, heard=None)

    assert german.intelligibility is None
    assert german.rating == 4.0
    assert german.faults[0].reason.endswith("recognition offline is English only and this take is german")


def test_a_take_without_text_says_what_was_not_judged() -> None:
    silent_on_words = rated(n_words=0, wer=None, aligns=None, heard=None, speaking_rate=None)

    assert codes(silent_on_words) == ["words_unchecked", "rate_unchecked"]
    assert silent_on_words.timing is None


def test_a_ramp_is_one_at_good_and_zero_at_bad_in_either_direction() -> None:
    assert [ramp(v, 0.72, 0.44) for v in (0.9, 0.72, 0.58, 0.44, 0.1)] == pytest.approx([1, 1, 0.5, 0, 0])
    assert [ramp(v, 1.25, 1.60) for v in (1.0, 1.425, 2.0)] == pytest.approx([1, 0.5, 0])


def test_nothing_to_judge_by_has_no_rating_and_what_is_recognised_has_one() -> None:
    gibberish = {"duration_s": 1.2, "speech_span_s": 1.1}

    unheard = rated(gibberish, n_words=3, wer=0.5, heard=False)

    assert unheard.is_too_short
    assert "too_short" in codes(unheard)
    assert not rated(gibberish, n_words=3, wer=0.0, heard=True).is_too_short
    assert not rated(gibberish, n_words=19, wer=0.9, heard=False, speaking_rate=60.0).is_too_short  # a text cut short
