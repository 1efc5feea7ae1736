"""The rating on a real narrator (LJ Speech 001, public domain), undamaged and damaged: the bounds of the benchmark."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ
from tests.support.damage.speech import BOUNDS, DAMAGE, HELD_OUT, PRINTING, Spoken, other_people, rate_all, recordings

DAMAGED = 3  # LJ001-0004, 6 s
ALSO_HELD_OUT = 12  # LJ001-0013, 4 s
NARRATOR = (0, 4, 7, 9, 14, 16)
TOO_SHORT = 1  # 1.9 s, four words: its word error rate says nothing
OTHER_DAMAGE = ("clipped by 18 dB", "3 s of silence at the end")

pytestmark = pytest.mark.skipif(not PRINTING.is_dir(), reason="needs the recording in ../shared/data/printing")


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Ratings by the row of the benchmark's table."""
    clips = recordings(PRINTING)
    clip, other = clips[DAMAGED], clips[ALSO_HELD_OUT]
    takes = {HELD_OUT: [clip, other], "short": [clips[TOO_SHORT]], "another sentence": [Spoken(clip.audio, other.text)]}
    takes |= {
        name: [Spoken(make(clip.audio), clip.text)]
        for name, make in DAMAGE.items()
        if name in BOUNDS or name in OTHER_DAMAGE
    }
    takes["other narrator"] = [other_people()["call, Sheila 2"]]
    return rate_all([clips[n] for n in NARRATOR], takes, tmp_path_factory.mktemp("real"))


@pytest.mark.parametrize("row", BOUNDS)
def test_the_bounds_of_the_table_hold(rated: dict[str, list[Any]], row: str) -> None:
    clean = rated[HELD_OUT][0]["uncapped"]
    mean = fmean(take["uncapped"] for take in rated[row])

    assert BOUNDS[row].holds(mean, clean), [take["reasons"] for take in rated[row]]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("silence", "silent"),
        ("white noise", "not_speech"),
        ("another sentence", "text_not_heard"),
        ("reversed", "text_not_heard"),
        ("other narrator", "another_voice"),
        ("2x speed, every second frame dropped", "too_fast"),
        ("2x speed, pitch kept", "too_fast"),
        ("noise at 10 dB", "sound"),
        ("clipped by 18 dB", "clipped"),
        ("3 s of silence at the end", "long_tail"),
    ],
)
def test_damage_is_named(rated: dict[str, list[Any]], row: str, fault: str) -> None:
    assert all(fault in take["faults"] or fault.replace("another", "far") in take["faults"] for take in rated[row])


def test_a_clip_too_short_for_its_words_is_not_failed_by_them(rated: dict[str, list[Any]]) -> None:
    (take,) = rated["short"]

    assert take["uncapped"] >= 4.0
    assert take["intelligibility"] is None
    assert take["measures"]["text_heard"] == 1


def test_the_other_people_of_the_benchmark_are_there_and_speak() -> None:
    people = other_people()

    assert {"call, Sheila 2", "actress"} <= set(people)
    assert all(len(one.audio) > 2 * CLIP_RATE_HZ and np.abs(one.audio).max() > 0.02 for one in people.values())
