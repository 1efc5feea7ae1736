"""Verdict and drift of a batch."""

from __future__ import annotations

from jobs.rate_samples.params import AnchorSummary, Drift, Interval, Rating, Summary, VoiceMean
from jobs.rate_samples.rating_files import compare_voices, verdict_sentences
from jobs.rate_samples.results import compute_drift
from jobs.speaker.narrator_profile import LengthScores, RatingProfile

CALM = Drift(n_takes=10, speaking_rate=1.0, pitch_st=0.1, sim=-0.01, flags=[])
PROFILE = RatingProfile(
    n_clips=10, language="english", own=(LengthScores(7.0, 0.96, 3.3, 4.0),), speaking_rate=10.0, rate_unit="phones/s",
    longest_pause_s=0.3, pitch_hz=200.0,
)  # fmt: skip


def summary(mean: float, low: float, high: float, n_texts: int = 12) -> Summary:
    shown = Interval(mean=mean, low=low, high=high)
    return Summary(mean=mean, low=low, high=high, n_takes=2 * n_texts, n_texts=n_texts, shown=shown)


def anchor(mean: float, low: float, high: float) -> AnchorSummary:
    return AnchorSummary(mean=mean, low=low, high=high, n=6, note="")


def takes(n: int, rate: float = 10.0, pitch_hz: float = 200.0, sim: float = 0.95) -> list[Rating]:
    measures = {"speaking_rate": rate, "pitch_hz": pitch_hz, "sim": sim, "duration_s": 7.0}
    one = Rating(audio="a", text="b", narrator="n", rating=4, uncapped=4, reasons=[], voice=1.0, measures=measures)
    return [one] * n


def test_training_that_did_not_help_is_said_to_be_so() -> None:
    sentences = verdict_sentences(summary(3.0, 2.8, 3.2), {"zero_shot": anchor(4.2, 4.0, 4.4)}, CALM)

    assert sentences[0].startswith("24 takes of 12 texts rate 3.00")
    assert sentences[1].startswith("Training did not help")


def test_a_better_voice_and_an_uncertain_one_differ() -> None:
    clone = {"zero_shot": anchor(3.5, 3.4, 3.6)}

    assert "rates above the clone" in verdict_sentences(summary(4.5, 4.3, 4.7), clone, CALM)[1]
    assert "No certain difference" in verdict_sentences(summary(3.6, 3.3, 3.9), clone, CALM)[1]


def test_a_low_upper_bound_is_a_warning_about_the_models() -> None:
    sentences = verdict_sentences(summary(3.0, 2.8, 3.2), {"narrator": anchor(3.9, 3.7, 4.1)}, CALM)

    assert "do not suit this narrator" in sentences[1]


def test_takes_no_better_than_another_speaker_are_named() -> None:
    sentences = verdict_sentences(summary(2.2, 1.9, 2.5), {"other_speaker": anchor(2.0, 1.9, 2.1)}, CALM)

    assert "do not rate above another speaker" in sentences[1]


def test_few_texts_are_called_few() -> None:
    assert "3 texts are few" in verdict_sentences(summary(3.0, 2.8, 3.2, n_texts=3), {}, CALM)[-1]


def test_a_batch_that_speaks_too_fast_is_flagged_though_each_take_passes() -> None:
    found = compute_drift(takes(10, rate=11.5), {"n": PROFILE})

    assert found.speaking_rate == 1.15
    assert len(found.flags) == 1
    assert "speaks 1.15 times as fast" in found.flags[0]


def test_pitch_and_voice_drift_are_flagged() -> None:
    found = compute_drift(takes(10, pitch_hz=220.0, sim=0.89), {"n": PROFILE})

    assert (found.pitch_st, found.sim) == (1.65, -0.07)
    assert ["pitch" in flag for flag in found.flags] == [True, False]
    assert "SIM is 0.07 below" in found.flags[1]


def test_a_batch_that_hurries_over_the_marks_is_flagged() -> None:
    hurried, usual = takes(10), takes(10)
    for hurry, take in zip(hurried, usual, strict=True):
        hurry.measures["long_mark_pause_distance"] = -0.3
        take.measures["long_mark_pause_distance"] = -0.1

    (flag,) = compute_drift(hurried, {"n": PROFILE}).flags
    assert flag == (
        "over 10 takes the pauses at punctuation marks are 0.30 s shorter than the narrator's (limit 0.2 s)"
    )
    assert compute_drift(usual, {"n": PROFILE}).flags == []


def test_a_batch_near_the_narrator_and_one_too_small_to_tell_are_not_flagged() -> None:
    assert compute_drift(takes(10, rate=10.5), {"n": PROFILE}).flags == []
    small = compute_drift(takes(9, rate=20.0), {"n": PROFILE})
    assert (small.flags, small.speaking_rate) == ([], None)


def test_the_best_of_several_voices_is_named_only_where_chance_does_not_explain_it() -> None:
    best, close, far = (
        VoiceMean(model=name, mean=mean, low=mean - 0.1, high=mean + 0.1, n_takes=12, n_texts=12)
        for name, mean in (("a", 4.2), ("b", 4.1), ("c", 3.0))
    )

    assert "the first rates above all others (4.20 against 3.00)" in compare_voices([best, far])[0]
    assert "differ by chance or little (4.20 against 4.10): let a person" in compare_voices([best, close, far])[0]
    assert compare_voices([best]) == compare_voices([]) == []


def test_one_or_two_texts_never_make_a_voice_better() -> None:
    best, far = (
        VoiceMean(model=name, mean=mean, low=mean, high=mean, n_takes=2, n_texts=2)
        for name, mean in (("a", 4), ("b", 2))
    )

    assert "differ by chance or little" in compare_voices([best, far])[0]
    clone = {"zero_shot": anchor(2.0, 2.0, 2.0)}
    assert "Too few texts" in verdict_sentences(summary(4.0, 4.0, 4.0, n_texts=1), clone, CALM)[1]
    narrator = {"narrator": anchor(4.9, 4.9, 4.9)}
    few = verdict_sentences(summary(4.0, 4.0, 4.0, n_texts=1), narrator, CALM)
    assert "Too few texts for a comparison with the narrator's own clips (4.9)" in few[1]
    assert "interval" not in few[0]
