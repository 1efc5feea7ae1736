"""Whisper's text of a chunk of speech, heard in windows of up to half a minute, with a time for every word."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from jobs.asr.transcript import WITHOUT_SPACES, TranscribedSegment
from jobs.audio.recording import Samples
from jobs.audio.vad_segments import Span, padded, speech_spans
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, RejectedSpan, TimedWord
from jobs.ingest_audiobook.heard_book.spoken_language import LanguageDetector, find_other_languages
from jobs.text.english_normalization import SpokenWord
from jobs.text.sentences import replace_inner_stops

MAX_WINDOW_S = 28.0  # Whisper hears 30 s at once
MIN_WINDOW_S = 10.0  # less leaves too little context for marks; the longest pause after it ends a window
MIN_WINDOW_WITH_BOOK_S = 20.0  # the marks are the book's, and every window costs the same
WINDOW_PAD_S = 0.3  # with less silence before it, Whisper misses a faint first word
MIN_PAUSE_S = 0.13  # of the runs that words are assigned to: clips are cut between these runs
FAINT_RUN_S = 0.2  # a shorter run without a word is a breath or a click
MAX_RUNS_AHEAD = 20  # of a word's neighbour: no word lies further away
_MARKS_AROUND = re.compile(r"^\W+|\W+$")


class SpeechToText(LanguageDetector, Protocol):
    """The part of ``jobs.asr.whisper.Transcriber`` that an ingest uses."""

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """Return for each span (seconds) its segments with text, times from the span's start."""
        ...


@dataclass(frozen=True)
class HeardText:
    """The text of a chunk: its words as written, with their times, in runs of speech; and what is not trusted."""

    text: str
    words: tuple[SpokenWord, ...]
    placed: tuple[PlacedRun, ...]
    runs: tuple[Span, ...]
    rejected: tuple[RejectedSpan, ...]
    language: str
    windows: tuple[Span, ...] = ()


def speech_windows(probabilities: Samples, duration_s: float, min_s: float = MIN_WINDOW_S) -> list[Span]:
    """Divide speech into windows for Whisper, at the longest pauses.

    Args:
        probabilities: of speech, (frames,).
        duration_s: of the chunk.
        min_s: of a window, where more speech follows.

    Returns:
        Spans of at most ``MAX_WINDOW_S``, seconds, with some silence around them.
    """
    runs = speech_spans(probabilities, max_span_s=MAX_WINDOW_S - 2 * WINDOW_PAD_S)
    windows: list[Span] = []
    first = 0
    while first < len(runs):
        fitting = [
            k for k in range(first, len(runs)) if runs[k].end_s - runs[first].start_s <= MAX_WINDOW_S - 2 * WINDOW_PAD_S
        ]
        last = fitting[-1]
        if last + 1 < len(runs):
            long_enough = [k for k in fitting if runs[k].end_s - runs[first].start_s >= min_s] or [last]
            last = max(long_enough, key=lambda k: runs[k + 1].start_s - runs[k].end_s)
        windows.append(Span(runs[first].start_s, runs[last].end_s, runs[first].cut_start, runs[last].cut_end))
        first = last + 1
    return padded(windows, duration_s, WINDOW_PAD_S)


def hear(
    audio_16k: Samples,
    probabilities: Samples,
    duration_s: float,
    whisper: SpeechToText,
    language: str | None,
    min_window_s: float = MIN_WINDOW_S,
    *,
    checks_language: bool = False,
) -> HeardText:
    """Transcribe a chunk and assign every word to a run of speech. Arguments as of ``speech_windows``.

    With ``checks_language`` windows in another language are rejected; with a book its words decide.
    """
    windows = speech_windows(probabilities, duration_s, min_window_s)
    found = whisper.transcribe_spans(audio_16k, [(window.start_s, window.end_s) for window in windows], language)
    runs = speech_spans(probabilities, max_span_s=MAX_WINDOW_S, min_silence_s=MIN_PAUSE_S)
    others = find_other_languages(windows, audio_16k, whisper, language) if checks_language else {}
    return to_heard_text(windows, found, runs, others)


def to_heard_text(
    windows: Sequence[Span],
    found: Sequence[Sequence[TranscribedSegment]],
    speech: Sequence[Span],
    others: Mapping[int, RejectedSpan] = MappingProxyType({}),
) -> HeardText:
    """Join the segments of windows to a text, and assign their words to the runs of ``speech``.

    ``others`` are rejections of whole windows, by their place.
    """
    code = next((segment.language for segments in found for segment in segments), "en")
    text = _GrowingText("" if code in WITHOUT_SPACES else " ")
    rejected: list[RejectedSpan] = []
    for place, (window, segments) in enumerate(zip(windows, found, strict=True)):
        if place in others:
            rejected.append(others[place])
            continue
        if not segments:
            rejected.append(RejectedSpan(window, "no_transcript", "Whisper recognised no words"))
        for segment in segments:
            doubt = segment.doubt()
            if doubt is None:
                text.add(segment, window.start_s)
            else:
                span = Span(window.start_s + segment.start_s, window.start_s + segment.end_s, True, True)
                rejected.append(RejectedSpan(span, doubt, _figures(segment), segment.text))
    runs = [run for run in speech if not _is_rejected(run, rejected)]
    placed = assign_to_runs(text.words, runs)
    with_words = {one.span for one in placed}
    runs = [run for run in runs if run in with_words or run.duration_s >= FAINT_RUN_S]
    rejected += [
        RejectedSpan(run, "no_transcript", "Whisper recognised no words") for run in runs if run not in with_words
    ]
    words = tuple(SpokenWord(word.word, word.first_char, word.last_char) for word in text.words)
    return HeardText(text.text, words, tuple(placed), tuple(runs), tuple(rejected), code, tuple(windows))


class _GrowingText:
    """The text of the segments so far and, for every word, where it stands and when it is spoken."""

    def __init__(self, space: str) -> None:
        self.text = ""
        self.words: list[TimedWord] = []
        self._space = space

    def add(self, segment: TranscribedSegment, offset_s: float) -> None:
        """Append a segment; its times count from ``offset_s``."""
        first = len(self.text) + len(self._space) if self.text else 0
        self.text = replace_inner_stops(self._space.join(filter(None, (self.text, segment.text))))
        segment_text = self.text[first:]
        place = 0
        for word in segment.words:
            core = _MARKS_AROUND.sub("", word.word)
            start = segment_text.find(core, place)
            if start < 0 or not core:  # a mark by itself
                continue
            place = start + len(core)
            self.words.append(
                TimedWord(
                    core,
                    offset_s + word.start_s,
                    offset_s + word.end_s,
                    first + start,
                    first + place,
                    word.probability,
                )
            )


def _figures(segment: TranscribedSegment) -> str:
    return f"mean log probability {segment.mean_log_probability:.2f}, compression ratio {segment.compression_ratio:.1f}"


def _is_rejected(run: Span, rejected: Sequence[RejectedSpan]) -> bool:
    return any(
        min(run.end_s, other.span.end_s) - max(run.start_s, other.span.start_s) > run.duration_s / 2
        for other in rejected
    )


def assign_to_runs(words: Sequence[TimedWord], runs: Sequence[Span]) -> list[PlacedRun]:
    """Assign each word to the run that holds most of it, in order; its times are moved into the run."""
    of_run: dict[int, list[TimedWord]] = {}
    reached = 0
    for word in words:
        near = range(reached, min(len(runs), reached + MAX_RUNS_AHEAD))
        if not near:
            break
        reached = max(near, key=lambda k: _overlap_s(word, runs[k]))
        run = runs[reached]
        start_s = min(max(word.start_s, run.start_s), run.end_s)
        end_s = max(min(word.end_s, run.end_s), start_s)
        of_run.setdefault(reached, []).append(replace(word, start_s=start_s, end_s=end_s))
    return [PlacedRun(runs[k], tuple(found)) for k, found in sorted(of_run.items())]


def _overlap_s(word: TimedWord, run: Span) -> float:
    """Return the seconds of a word within a run; the negative distance when there are none."""
    return min(word.end_s, run.end_s) - max(word.start_s, run.start_s)
