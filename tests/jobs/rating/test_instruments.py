"""Instruments on the sample's voice, undamaged and damaged: limits fitted on its clips, no model that rates sound."""

from __future__ import annotations

import re

import numpy as np
import pytest

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.asr.wer import heard_words
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ
from jobs.audio.resampling import resample
from jobs.rating.instruments.instrument import MARGIN, Check, distances, fit_reference, measure_all, rises
from jobs.rating.instruments.registry import CHECKS, INSTRUMENTS
from jobs.rating.instruments.signal import Signal
from jobs.rating.instruments.words import (
    LEAST_EVIDENCE,
    MOST_EVIDENCE,
    WordChange,
    find_changes,
    fit_evidence,
    mark_changes,
)
from jobs.speaker.narrator_profile import Reference
from jobs.text.english_normalization import spoken_words
from tests.support.damage.speech import FABLES, Spoken, recordings
from tests.support.damage.subtle import HELD_OUT, TUNED, change_words

N_PROFILE = 6


@pytest.fixture(scope="module")
def clips() -> list[Spoken]:
    """Sentences of the sample; the first ones are the profile."""
    return recordings(FABLES)[: N_PROFILE + 3]


@pytest.fixture(scope="module")
def references(clips: list[Spoken]) -> dict[str, Reference]:
    """Limits fitted on the first clips."""
    measured = [measure_all(CHECKS, Signal(clip.audio, clip.text)) for clip in clips[:N_PROFILE]]
    found = {check.code: fit_reference(check, [each.get(check.code, []) for each in measured], 5) for check in CHECKS}
    return {code: reference for code, reference in found.items() if reference is not None}


def beyond(clip: Spoken, references: dict[str, Reference]) -> set[str]:
    """Return the codes of the checks that a clip fails."""
    found = distances(CHECKS, measure_all(CHECKS, Signal(clip.audio, clip.text)), references)
    return {code for code, distance in found.items() if distance > references[code].limit}


def test_other_clips_of_the_narrator_fail_no_check(clips: list[Spoken], references: dict[str, Reference]) -> None:
    assert [beyond(clip, references) for clip in clips[N_PROFILE:]] == [set()] * 3


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("low-pass at 3 kHz", "dull"),
        ("telephone, 8 kHz", "dull"),
        ("40 clicks", "clicks"),
        ("every second codec frame dropped", "clicks"),
        ("metallic ring (comb of 5 ms)", "metallic"),
        ("flattened pitch", "monotone"),
        ("low-pass at 4 kHz", "dull"),
        ("40 soft clicks", "clicks"),
        ("metallic ring (comb of 9 ms)", "metallic"),
        ("tremolo at 30 Hz", "buzzing"),
        ("pitch flattened to a quarter", "flat_melody"),
    ],
)
def test_damage_fails_the_check_that_hears_it(
    clips: list[Spoken], references: dict[str, Reference], kind: str, code: str
) -> None:
    clip = clips[N_PROFILE]

    assert code in beyond(Spoken((TUNED | HELD_OUT)[kind](clip.audio), clip.text), references)


def test_a_limit_is_the_worst_of_the_narrators_own_distances_within_its_bounds() -> None:
    check = Check("c", lambda signal: [0.0], rises, 1.0, 5.0, "{value} {limit}")

    fitted = fit_reference(check, [[1.0], [2.0], [3.0], [2.0], [2.0]], 5)

    assert fitted == Reference((2.0,), round(MARGIN * 1.2, 4), 5)
    assert fit_reference(check, [[2.0]] * 5, 5) == Reference((2.0,), 1.2, 5)
    assert fit_reference(check, [[0.0], [0.0], [90.0], [0.0], [0.0]], 5) == Reference((0.0,), 6.0, 5)
    assert fit_reference(check, [[2.0]] * 4 + [[]], 5) is None


@pytest.mark.parametrize(("repeat", "kind"), [(False, "skipped"), (True, "repeated")])
def test_a_word_left_out_or_said_twice_is_named_with_its_place(clips: list[Spoken], repeat: bool, kind: str) -> None:
    (changed,) = change_words(clips[:1], repeat=repeat, seed=4)
    recogniser = Recogniser()
    words = spoken_words(changed.spoken.text)
    speech = resample(changed.spoken.audio, CLIP_RATE_HZ, SPEECH_RATE_HZ)
    heard = heard_words(recogniser, speech, words, ["often", "people", "house"])

    first = find_changes(recogniser, speech, words, [heard], recogniser.fit(speech, words))[0]

    assert (first.kind, first.word) == (kind, changed.word)
    assert first.evidence > LEAST_EVIDENCE
    assert 0 <= first.at_s <= len(speech) / SPEECH_RATE_HZ
    assert re.fullmatch(rf"{kind} '{changed.word}' at \d+\.\d s", str(first))


def test_words_that_are_all_heard_or_mostly_others_are_no_changes() -> None:
    recogniser, silence = Recogniser(), np.zeros(SPEECH_RATE_HZ, np.float32)

    assert find_changes(recogniser, silence, ["one", "two"], [["one", "two"]], None) == []
    assert find_changes(recogniser, silence, ["one", "two", "four"], [["six", "eight", "ten"]], None) == []


def test_the_limit_of_the_evidence_is_above_the_narrators_own_and_bounded() -> None:
    def change(evidence: float, kind: str = "skipped") -> list[WordChange]:
        return [WordChange(kind=kind, index=0, word="a", at_s=0.0, evidence=evidence)]

    assert fit_evidence([[], change(100.0), change(900.0, "misread")]).limit == MARGIN * 100
    assert fit_evidence([[], change(5.0)]).limit == LEAST_EVIDENCE
    assert fit_evidence([change(900.0)]).limit == MOST_EVIDENCE


def test_every_instrument_says_what_it_is_and_every_check_has_a_sentence() -> None:
    assert len({each.name for each in INSTRUMENTS}) == len(INSTRUMENTS)
    assert all(each.version and each.licence and each.hears and each.does_not_hear for each in INSTRUMENTS)
    assert len({check.code for check in CHECKS}) == len(CHECKS)
    assert all(check.sentence.format(value=2.0, limit=1.0) and check.least_limit < check.most_limit for check in CHECKS)


def test_changes_are_marked_in_the_writing_of_the_text() -> None:
    text = 'In 1455, he said: "Fine types."'

    def change(kind: str, index: int, word: str, heard: str = "") -> WordChange:
        found = {"kind": kind, "index": index, "word": word, "heard": heard, "at_s": 1.25, "evidence": 99.0}
        return WordChange.model_validate(found)

    assert mark_changes(text, []) == text
    assert mark_changes(text, [change("skipped", 5, "said")]) == 'In 1455, he [skipped: said, 1.2 s]: "Fine types."'
    both = [change("repeated", 7, "fine"), change("misread", 1, "fourteen", "forty")]
    assert mark_changes(text, both) == (
        'In [misread: fourteen as forty, 1.2 s], he said: "Fine [repeated: fine, 1.2 s] types."'
    )
    assert mark_changes(text, [change("added", 8, "types")]) == text + "[added: types, 1.2 s] "
    assert mark_changes(text, [change("skipped", 6, "fine types")]) == (
        'In 1455, he said: "[skipped: fine types, 1.2 s]."'
    )
