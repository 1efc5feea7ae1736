"""Real narration, and the same spoiled: what the limits see, in whose name they reject."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.quality.measure_clip import Measured, Task, measure
from jobs.dataset.quality.narrator_stats import build_dnsmos_scores
from jobs.dataset.quality.quality_filter import build_profile_of_good_clips, find_rejection
from jobs.dataset.quality.signal_metrics import against_pauses
from jobs.dataset.quality.thresholds import Thresholds, read_thresholds
from jobs.errors import UserError
from jobs.speaker.similarity import robust_centroid
from tests.jobs.dataset.spoiled import with_chords, with_noise

LIMITS = Thresholds()


def measured(folder: Path, samples: np.ndarray, text: str = "") -> Measured:
    write_clip(folder / "clip.wav", samples, CLIP_RATE_HZ)
    return Measured.model_validate(measure(Task(folder / "clip.wav", text, "english")))


def reason(clip: Measured, narration: list[Measured], limits: Thresholds = LIMITS) -> str | None:
    rejection = find_rejection(clip, build_profile_of_good_clips(narration, limits), limits)
    return None if rejection is None else rejection.reason


def test_no_clip_of_a_good_recording_is_rejected(narration: list[Measured]) -> None:
    assert [reason(clip, narration) for clip in narration] == [None] * 20


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda x: with_noise(x, 10), "noisy"),
        (lambda x: with_chords(x, 10), "noisy"),
        (lambda x: with_chords(x, 18), "music"),
        (lambda x: np.clip(x * 6, -0.9, 0.9), "clipped"),
        (lambda x: np.concatenate([x, np.zeros(36_000)]), "long_silence"),
        (lambda x: np.concatenate([x[:60_000], np.zeros(60_000), x[60_000:]]), "long_pause"),
        (lambda x: x * 0.1, "off_loudness"),
        (lambda x: np.zeros(48_000), "not_speech"),
        (lambda x: np.random.default_rng(1).normal(scale=0.1, size=48_000), "not_speech"),
    ],
    ids=["noise", "loud music", "music", "clipping", "tail", "pause", "softly", "silence", "hiss"],
)
def test_damage_is_named(spoil, expected, narration, printing_clips, tmp_path) -> None:
    spoilt = np.asarray(spoil(printing_clips["LJ001-0005"]), np.float32)

    assert reason(measured(tmp_path, spoilt), narration) == expected


def test_telephone_sound_is_named(narration, printing_clips, tmp_path) -> None:
    import soxr

    low = soxr.resample(soxr.resample(printing_clips["LJ001-0005"], 24_000, 8_000), 8_000, 24_000)

    assert reason(measured(tmp_path, low), narration) == "narrow_band"


def test_text_that_is_too_long_or_too_short_for_the_sound_is_named(narration, printing_clips, tmp_path) -> None:
    words = ["matter", "of", "course", "that", "craftsmen", "took", "care", "of"] * 2
    samples = printing_clips["LJ001-0010"]

    assert reason(measured(tmp_path, samples, " ".join(words * 4)), narration) == "too_fast"
    assert reason(measured(tmp_path, samples, " ".join(words[:8])), narration) == "too_slow"


def test_another_real_voice_and_a_synthetic_one_are_another_voice(narration, fables, tmp_path) -> None:
    import gradio

    real = Path(gradio.__file__).parent / "media_assets" / "audio" / "cate_blanch_2.mp3"
    if not real.is_file():
        pytest.skip("needs the voice recording inside gradio's package (media_assets/audio/cate_blanch_2.mp3)")
    voice_only = read_thresholds({"max_dnsmos_drop": "off", "max_music_db": "off", "max_loudness_shift_lu": "off"})

    assert reason(measured(tmp_path, read_clip(real, CLIP_RATE_HZ)), narration, voice_only) == "another_voice"
    assert [reason(measured(tmp_path, samples), narration, voice_only) for _, samples in fables[:4]] == [
        "another_voice"
    ] * 4


def test_a_limit_that_is_off_rejects_nothing(narration, printing_clips, tmp_path) -> None:
    noisy = measured(tmp_path, with_noise(printing_clips["LJ001-0005"], 10))
    limits = read_thresholds({"min_snr_db": "off", "max_sim_drop": "off"})

    assert reason(noisy, narration, limits) is None


def test_dnsmos_is_held_against_the_narrators_own() -> None:
    own = build_dnsmos_scores([({"ovrl": 3.3, "bak": 4.0, "p808": 4.0}, 8.0)] * 5)
    clip = Measured(values={"snr_db": 40.0, "tonality_db": 4.0, "loudness_lufs": -20.0, "envelope_sd_db": 12.0,
                            "clipped_share": 0.0, "bandwidth_hz": 10_000.0, "head_s": 0.1, "tail_s": 0.1,
                            "longest_pause_s": 0.3}, speech_span_s=8.0)  # fmt: skip
    narrator = build_profile_of_good_clips([clip] * 5, LIMITS)

    bad = find_rejection(clip, narrator, LIMITS, score={"ovrl": 2.6, "bak": 3.0, "p808": 3.3}, own=own)
    good = find_rejection(clip, narrator, LIMITS, score={"ovrl": 3.1, "bak": 3.9, "p808": 3.8}, own=own)

    assert bad is not None
    assert (bad.reason, bad.value, bad.limit) == ("poor_sound", 0.7, 0.55)
    assert good is None


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_another_voice_in_up_to_a_third_of_the_clips_does_not_capture_the_centroid(share: float) -> None:
    random = np.random.default_rng(5)
    two = np.eye(256)[:2] + 0.02

    def voices(of: int, n: int) -> np.ndarray:
        raw = two[of] + random.normal(scale=0.03, size=(n, 256))
        return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)

    n_others = round(100 * share)
    own, others = voices(0, 100 - n_others), voices(1, n_others)
    mixed = np.concatenate([others, own])

    centre, core = robust_centroid(mixed)

    assert min(core) >= n_others
    assert (own @ centre).min() > 0.85
    assert (others @ centre).max() < 0.5


@pytest.mark.parametrize(
    ("given", "code"), [({"min_snr": 3}, "quality_unknown"), ({"min_snr_db": "loud"}, "quality_invalid")]
)
def test_an_unknown_or_unusable_limit_is_refused(given: dict, code: str) -> None:
    with pytest.raises(UserError) as caught:
        read_thresholds(given)

    assert caught.value.code == code


def test_snr_is_told_against_the_recordings_pauses_and_both_are_held_to_the_limit(narration) -> None:
    clip = narration[4]
    quiet, loud = (
        clip.model_copy(update={"values": against_pauses(clip.values, clip.values["background_dbfs"] + above_db)})
        for above_db in (-6.0, 30.0)
    )

    assert quiet.values["snr_db"] == pytest.approx(clip.values["snr_db"] + 6.0)
    assert quiet.values["clip_snr_db"] == clip.values["snr_db"]
    assert reason(quiet, narration) is None
    assert reason(loud, narration) == "noisy"
    assert against_pauses(clip.values, None) == clip.values
