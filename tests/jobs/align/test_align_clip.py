"""Whatever an aligner answers, a clip comes out with times that hold or with a reason."""

import numpy as np
import pytest

from jobs.align.align_clip import MOST_READINGS, align_clip
from jobs.asr.whisperx_alignment import CannotAlign
from jobs.audio.clip_io import read_clip, write_clip
from jobs.dataset.manifest import RejectionError, Word

RATE_HZ = 16_000
TEXT = "One two three."


class Scripted:
    """An aligner with scripted answers."""

    name = "scripted"
    default_min_score = 0.0
    tail_s = 3.0

    def __init__(self, times):
        self._times = times

    def align(self, samples_16k, words):
        if isinstance(self._times, Exception):
            raise self._times
        return [
            Word(word=word, start_s=start, end_s=end, score=0.9)
            for word, (start, end) in zip(words, self._times, strict=False)
        ]


@pytest.fixture
def clip(tmp_path):
    """Three bursts of noise with pauses around them, 2 s."""
    samples = np.zeros(2 * RATE_HZ, np.float32)
    rng = np.random.default_rng(0)
    for start_s in (0.2, 0.8, 1.4):
        first = round(start_s * RATE_HZ)
        samples[first : first + RATE_HZ // 2 - 1600] = rng.normal(0, 0.1, RATE_HZ // 2 - 1600)
    write_clip(tmp_path / "clip.wav", samples, RATE_HZ)
    return tmp_path / "clip.wav"


def test_words_in_order_inside_the_clip_are_kept_with_the_edges_of_their_sound(clip):
    aligned = align_clip(clip, TEXT, "en", Scripted([(0.0, 0.7), (0.75, 1.3), (1.35, 2.0)]))

    assert aligned.lost == []
    words = aligned.words

    assert [(word.word, word.start_s, word.end_s) for word in words] == [
        ("One", 0.19, 0.61),
        ("two", 0.79, 1.21),
        ("three", 1.39, 1.81),
    ]


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ([], "words_missing"),
        ([(0.2, 0.6), (0.8, 1.2)], "words_missing"),
        ([(0.2, 0.6), (0.8, 0.8), (1.4, 1.8)], "bad_times"),
        ([(0.2, 0.6), (0.8, 0.805), (1.4, 1.8)], "bad_times"),
        ([(0.2, 0.9), (0.8, 1.2), (1.4, 1.8)], "bad_times"),
        ([(0.8, 1.2), (0.2, 0.6), (1.4, 1.8)], "bad_times"),
        ([(0.2, 0.6), (0.8, 1.2), (1.4, 2.4)], "bad_times"),
        ([(0.2, 0.6), (0.8, 1.2), (2.1, 2.4)], "bad_times"),
        ([(float("nan"), 0.6), (0.8, 1.2), (1.4, 1.8)], "bad_times"),
        (CannotAlign("backtrack failed"), "not_aligned"),
    ],
    ids=["none", "one too few", "no length", "too short", "overlapping", "not in order", "past the end",
         "outside", "missing time", "no path"],
)  # fmt: skip
def test_times_that_do_not_hold_are_a_reason_never_a_result(clip, times, reason):
    with pytest.raises(RejectionError) as rejected:
        align_clip(clip, TEXT, "en", Scripted(times))

    assert rejected.value.reason == reason


def cut(clip, start_s, end_s=None):
    """The clip's sound from ``start_s`` on."""
    samples = read_clip(clip, RATE_HZ)[round(start_s * RATE_HZ) : end_s and round(end_s * RATE_HZ)]
    write_clip(clip.with_name("cut.wav"), samples, RATE_HZ)
    return clip.with_name("cut.wav")


def test_a_border_that_cuts_a_word_moves_to_the_next_pause(clip):
    aligned = align_clip(cut(clip, 0.4), TEXT, "en", Scripted([(0.0, 0.2), (0.4, 0.8), (1.0, 1.4)]))

    assert aligned.text == "two three."
    assert 0.2 < aligned.start_s < 0.4
    assert aligned.end_s == pytest.approx(1.6)
    assert [(part.start_s, part.end_s, part.text) for part in aligned.lost] == [(0.0, aligned.start_s, "One")]
    assert [(word.word, word.start_s, word.end_s) for word in aligned.words] == [
        ("two", pytest.approx(0.4 - aligned.start_s, abs=1e-3), pytest.approx(0.8 - aligned.start_s, abs=1e-3)),
        ("three", pytest.approx(1.0 - aligned.start_s, abs=1e-3), pytest.approx(1.4 - aligned.start_s, abs=1e-3)),
    ]


def test_the_border_at_the_end_moves_too(clip):
    aligned = align_clip(cut(clip, 0.0, 1.6), TEXT, "en", Scripted([(0.2, 0.6), (0.8, 1.2), (1.4, 1.6)]))

    assert aligned.text == "One two"
    assert aligned.start_s == 0
    assert 1.2 < aligned.end_s < 1.4
    assert [part.text for part in aligned.lost] == ["three."]
    assert [word.word for word in aligned.words] == ["One", "two"]


def test_a_clip_of_which_too_little_is_left_is_rejected(clip):
    with pytest.raises(RejectionError, match="'One'") as rejected:
        align_clip(cut(clip, 0.4, 1.6), TEXT, "en", Scripted([(0.0, 0.2), (0.4, 0.8), (1.0, 1.2)]))

    assert rejected.value.reason == "word_cut"


def test_a_cut_word_that_no_pause_follows_takes_its_clip_along(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)
    write_clip(tmp_path / "full.wav", noise, RATE_HZ)

    with pytest.raises(RejectionError) as rejected:
        align_clip(tmp_path / "full.wav", TEXT, "en", Scripted([(0.0, 0.6), (0.8, 1.2), (1.4, 2.0)]))

    assert rejected.value.reason == "word_cut"


def test_a_number_is_read_as_it_was_recognised(clip):
    aligned = align_clip(
        clip, "1455 i.e.", "en",
        Scripted([(0.2, 0.4), (0.4, 0.6), (0.8, 1.0), (1.0, 1.2), (1.4, 1.6), (1.6, 1.8)]),
        ["fourteen", "hundred", "fifty", "five", "i", "e"],
    )  # fmt: skip

    assert [word.word for word in aligned.words] == ["1455", "i.e."]
    assert aligned.words[0].end_s == pytest.approx(1.2)


class Counting(Scripted):
    """A scripted aligner that counts its calls."""

    n_calls = 0

    def align(self, samples_16k, words):
        self.n_calls += 1
        return super().align(samples_16k, words)


@pytest.mark.parametrize(("n_numbers", "n_calls"), [(2, 9), (8, 1 + MOST_READINGS), (2000, 0)])
def test_a_text_of_numbers_is_aligned_in_a_bounded_number_of_readings(clip, n_numbers, n_calls):
    """Each number has several readings: 10,000 characters of them asked for 10,000 alignments of one clip."""
    aligner = Counting(CannotAlign("no path"))

    with pytest.raises(RejectionError) as rejected:
        align_clip(clip, "1455 " * n_numbers, "en", aligner)

    assert rejected.value.reason == "not_aligned"
    assert aligner.n_calls == n_calls


def test_a_long_clip_of_many_words_is_aligned_once(tmp_path):
    write_clip(tmp_path / "long.wav", np.zeros(300 * RATE_HZ, np.float32), RATE_HZ)
    aligner = Counting(CannotAlign("no path"))

    with pytest.raises(RejectionError, match="no path"):
        align_clip(tmp_path / "long.wav", "1455 " * 1000, "en", aligner)

    assert aligner.n_calls == 1
