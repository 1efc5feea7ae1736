"""Choice of the narrator's clips, and the profile of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.audio.acoustic_features import Prosody
from jobs.dataset.manifest import Clip
from jobs.errors import UserError
from jobs.rating.measurements import Measurements, Timbre
from jobs.rating.narrator_clips import build_profile, choose_profile_clips, hold_out, short_lengths


def clips(n: int, **columns: object) -> list[Clip]:
    return [Clip.model_validate({"audio": f"{i}.wav", "text": "words", "duration_s": 5.0, **columns}) for i in range(n)]


def measured(rate: float, x: float, wer: float | None = 0.0) -> Measurements:
    sound = Prosody(duration_s=6, level_dbfs=-20, is_silent=False, speech_span_s=5.8, longest_pause_s=x, pitch_hz=200)
    timbre = Timbre(embedding=[1.0, x], ovrl=3 + x, p808=4)
    return Measurements(prosody=sound, timbre=timbre, n_words=12, speaking_rate=rate, wer=wer)


def test_clips_are_spread_evenly_over_the_book(tmp_path: Path) -> None:
    chosen = choose_profile_clips(clips(100), tmp_path / "m.jsonl", 5)

    assert [clip.path.name for clip in chosen] == ["0.wav", "20.wav", "40.wav", "60.wav", "80.wav"]


def test_short_and_textless_clips_are_taken_only_when_there_are_no_others(tmp_path: Path) -> None:
    poor = clips(5, duration_s=1.0)

    assert len(choose_profile_clips(poor, tmp_path / "m.jsonl", 20)) == 5
    assert {
        clip.path.name for clip in choose_profile_clips(poor + clips(6, audio="good.wav"), tmp_path / "m.jsonl", 20)
    } == {"good.wav"}


def test_fewer_than_five_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="4 clips") as caught:
        choose_profile_clips(clips(4), tmp_path / "m.jsonl", 20)

    assert caught.value.code == "narrator_clips_too_few"


def test_a_clip_outside_the_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        choose_profile_clips(clips(5, audio="../../etc/passwd"), tmp_path / "m.jsonl", 20)

    assert caught.value.code == "path_outside_dataset"


def test_the_narrator_is_measured_short_only_for_takes_that_are_short() -> None:
    assert short_lengths([7.0, 8.0, 9.0], [7.5, 9.0]) == []
    assert short_lengths([7.0, 8.0, 9.0], [7.5, 5.0]) == [4.0]
    assert short_lengths([7.0, 8.0, 9.0], [2.5, 9.0]) == [2.0, 4.0]
    assert short_lengths([3.0, 3.2, 3.4], [2.1]) == [2.0]
    assert short_lengths([2.2, 2.4], [2.0]) == []


def test_the_profile_holds_medians_and_ignores_what_could_not_be_measured() -> None:
    silent = Measurements(prosody=Prosody(duration_s=6, level_dbfs=-90, is_silent=True))
    measures = [measured(rate, 0.1 * i) for i, rate in enumerate((9.0, 10.0, 11.0, 12.0, 30.0))]

    profile, voice = build_profile([*measures, silent], {}, "english")

    assert (profile.n_clips, profile.speaking_rate, profile.rate_unit) == (5, 11.0, "phones/s")
    assert profile.whole.ovrl == pytest.approx(3.2)
    assert profile.longest_pause_s == pytest.approx(0.2)
    assert profile.wer == 0.0
    assert voice.shape == (2,)


def test_a_narrator_in_another_language_is_counted_in_letters() -> None:
    profile, _ = build_profile([measured(14.0, 0.1, wer=None)] * 5, {}, "german")

    assert (profile.rate_unit, profile.wer) == ("letters/s", None)


def test_clips_without_speech_do_not_make_a_profile() -> None:
    silent = Measurements(prosody=Prosody(duration_s=6, level_dbfs=-90, is_silent=True))

    with pytest.raises(UserError, match="1 of the narrator's 6 clips hold speech"):
        build_profile([*[silent] * 5, measured(11.0, 0.1)], {}, "english")


def names(found: list[Clip]) -> list[str]:
    return [clip.audio for clip in found]


def test_a_quarter_of_the_clips_at_most_is_held_out_and_none_of_the_last_five() -> None:
    rest, held = hold_out(clips(8, text="six words or more of text"), 6)
    none_to_spare = hold_out(clips(5), 6)

    assert len(held) == 2
    assert not {*names(rest)} & {*names(held)}
    assert len(rest) + len(held) == 8
    assert (len(none_to_spare[0]), none_to_spare[1]) == (5, [])


def test_the_validation_split_is_held_out_first() -> None:
    given = [*clips(8), *[clip.model_copy(update={"split": "validation", "audio": f"v{n}.wav"})
                          for n, clip in enumerate(clips(3))]]  # fmt: skip

    rest, held = hold_out(given, 3)

    assert names(held) == ["v0.wav", "v1.wav", "v2.wav"]
    assert len(rest) == 8


def test_held_out_clips_have_the_split_that_training_makes_of_a_manifest_without_one() -> None:
    given = clips(40, text="six words or more of text")
    given = [clip.model_copy(update={"text": f"{clip.text} {n}"}) for n, clip in enumerate(given)]

    rest, held = hold_out(given, 5)

    assert [clip.split for clip in held] == ["validation"] * 3 + ["train"] * 2
    assert len(rest) == 35


def test_clips_too_short_to_be_judged_are_not_held_out_while_there_are_others() -> None:
    given = [*clips(4), *clips(4, text="a text of six words here", audio="long.wav")]

    _, held = hold_out(given, 2)

    assert {*names(held)} == {"long.wav"}
