"""Whisper hears speech in context: windows that end in pauses, words in runs of speech, doubtful text left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from jobs.asr.transcript import TranscribedSegment, TranscribedWord
from jobs.audio.vad_segments import FRAME_S
from jobs.ingest_audiobook.heard_book.whisper_text import MAX_WINDOW_S, HeardText, SpeechToText, hear, speech_windows


def probabilities(duration_s: float, *speech: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Of speech in the given spans of seconds."""
    found = np.zeros(round(duration_s / FRAME_S), np.float32)
    for start_s, end_s in speech:
        found[round(start_s / FRAME_S) : round(end_s / FRAME_S)] = 0.9
    return found


def segment(text: str, start_s: float, end_s: float, language: str = "en") -> TranscribedSegment:
    """A segment whose words share its time equally."""
    words = text.split() if language == "en" else list(text)
    step = (end_s - start_s) / len(words)
    times = [(start_s + k * step, start_s + (k + 1) * step) for k in range(len(words))]
    heard = tuple(TranscribedWord(word, *time, 0.9) for word, time in zip(words, times, strict=True))
    return TranscribedSegment(start_s, end_s, text, -0.2, 0.01, 1.1, heard, language)


class Says:
    """Says the given segments of the windows, and remembers these."""

    def __init__(self, *segments: list[TranscribedSegment]) -> None:
        self.segments = segments
        self.windows: Sequence[tuple[float, float]] = []
        self.languages: list[tuple[str, float]] = []

    def detect_language(self, samples_16k: npt.NDArray[np.float32]) -> tuple[str, float]:
        """Take the languages of the windows one by one; none left: English."""
        return self.languages.pop(0) if self.languages else ("en", 1.0)

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """Remember the spans."""
        self.windows = spans_s
        return list(self.segments)


def heard(whisper: SpeechToText, duration_s: float, *speech: tuple[float, float]) -> HeardText:
    return hear(np.zeros(1, np.float32), probabilities(duration_s, *speech), duration_s, whisper, "english")


def test_a_window_ends_at_the_longest_pause_and_holds_half_a_minute_at_most() -> None:
    speech = [(1.0, 8.0), (8.5, 15.0), (16.5, 22.0), (22.5, 27.0), (27.5, 60.0)]

    windows = speech_windows(probabilities(62.0, *speech), 62.0)

    assert [round(window.start_s, 1) for window in windows][:3] == [0.7, 16.2, 27.2]
    assert max(window.duration_s for window in windows) <= MAX_WINDOW_S
    assert windows[-1].end_s == pytest.approx(60.3, abs=0.1)


def test_words_go_to_the_runs_of_speech_that_hold_them() -> None:
    whisper = Says([segment("The crow was thirsty. It drank, and flew.", 0.2, 4.2)])

    found = heard(whisper, 6.0, (1.0, 2.5), (3.0, 5.0))

    assert [[word.word for word in run.words] for run in found.placed] == [
        ["The", "crow", "was", "thirsty"], ["It", "drank", "and", "flew"],
    ]  # fmt: skip
    assert [found.text[word.start : word.end] for word in found.words][:4] == ["The", "crow", "was", "thirsty"]
    assert all(run.span.start_s <= word.start_s <= word.end_s <= run.span.end_s for run in found.placed
               for word in run.words)  # fmt: skip
    assert found.rejected == ()


def test_doubtful_segments_and_windows_without_words_are_rejected_with_their_speech() -> None:
    whisper = Says(
        [
            segment("The crow was thirsty.", 0.3, 3.0),
            replace(segment("It drank.", 4.0, 6.0), mean_log_probability=-1.5),
        ],
        [],
    )

    found = heard(whisper, 40.0, (1.0, 3.6), (4.5, 7.0), (25.0, 39.0))

    assert [one.reason for one in found.rejected] == ["low_confidence", "no_transcript"]
    assert found.text == "The crow was thirsty."
    assert [run.span.start_s for run in found.placed] == [pytest.approx(1.0, abs=0.05)]


def test_speech_in_which_no_word_was_heard_is_rejected_and_a_breath_is_not() -> None:
    whisper = Says([segment("The crow was thirsty.", 0.3, 2.3)])

    found = heard(whisper, 8.0, (1.0, 3.0), (3.6, 3.7), (4.5, 6.0))

    assert [(one.reason, round(one.span.start_s, 1)) for one in found.rejected] == [("no_transcript", 4.5)]
    assert len(found.runs) == 2


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["Of the Roman character.", "and it was printed."], "Of the Roman character, and it was printed."),
        (["It was etc. and so on."], "It was etc. and so on."),
        (["He came. Then he left."], "He came. Then he left."),
    ],
)  # fmt: skip
def test_a_full_stop_before_a_word_in_lower_case_ends_no_sentence(texts: list[str], joined: str) -> None:
    whisper = Says([segment(text, 0.3 + 4 * k, 3.3 + 4 * k) for k, text in enumerate(texts)])

    assert heard(whisper, 9.0, (1.0, 8.0)).text == joined


def test_a_language_without_spaces_is_joined_without_them() -> None:
    whisper = Says([segment("他来了。", 0.3, 1.3, "zh"), segment("他走了。", 2.3, 3.3, "zh")])

    found = heard(whisper, 5.0, (1.0, 4.0))

    assert found.text == "他来了。他走了。"
    assert [found.text[word.start : word.end] for word in found.words] == list("他来了他走了")


def test_windows_in_another_language_are_rejected_and_unsure_or_short_ones_are_not() -> None:
    said = [[segment("This is what it says.", 0.0, 9.0)] for _ in range(3)]
    whisper = Says(*said)
    whisper.languages = [("de", 0.97), ("fr", 0.6), ("en", 0.99)]
    speech = [(1.0, 12.0), (14.0, 26.0), (30.0, 52.0), (58.0, 60.0)]

    def kept(language: str, *, checks: bool = True) -> HeardText:
        signal = probabilities(62.0, *speech)
        return hear(np.zeros(1, np.float32), signal, 62.0, whisper, language, checks_language=checks)

    found = kept("english")
    others = [one for one in found.rejected if one.reason == "other_language"]

    assert [round(one.span.start_s, 1) for one in others] == [round(found.windows[0].start_s, 1)]
    assert others[0].detail == "sounds german (probability 0.97), and language is english"
    assert all(place.span.start_s > found.windows[0].end_s for place in found.placed)
    for language, checks in (("auto", True), ("english", False)):
        whisper.languages = [("de", 0.97)]
        assert "other_language" not in {one.reason for one in kept(language, checks=checks).rejected}
