"""Texts of given segments compared with what Whisper hears at their times, in any of the ten languages."""

from collections.abc import Sequence
from dataclasses import replace

from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, RejectedSpan
from jobs.ingest_audiobook.heard_book.placement import BookPlacer
from jobs.ingest_audiobook.heard_book.second_hearing import Listener, hear_again
from jobs.ingest_audiobook.heard_book.whisper_text import MIN_WINDOW_WITH_BOOK_S, hear
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk
from jobs.ingest_audiobook.text.segment_clips import PlacedSegment

NEAR_S = 0.5  # of Whisper's times of words
MIN_OTHER_S = 0.2  # of speech with other words within a segment


class SegmentChecker:
    """Keeps the segments whose every word is heard at their time, and no other word."""

    def __init__(self, whisper: Listener, language: str) -> None:
        self._whisper = whisper
        self._language = language

    def check(self, placed: Sequence[PlacedSegment], chunk: SpeechChunk) -> list[PlacedSegment]:
        """Return the segments of a chunk, those that are not heard as they are written with ``words_differ``."""
        good = [place for place, one in enumerate(placed) if one.reason is None]
        if not good:
            return list(placed)
        text, starts = "", []
        for place in good:
            text += "\n" if text else ""
            starts.append(len(text))
            text += placed[place].segment.text
        heard = hear(
            chunk.audio_16k,
            chunk.probabilities,
            chunk.duration_s,
            self._whisper,
            self._language,
            MIN_WINDOW_WITH_BOOK_S,
        )
        placer = BookPlacer(text, heard.language)
        runs, others = placer.place(heard, chunk.audio_16k, self._whisper)
        runs, others = hear_again(heard, runs, others, chunk.audio_16k, placer, self._whisper)
        checked = list(placed)
        for place, start, end in zip(good, starts, [*starts[1:], len(text) + 1], strict=True):
            words = {word.start for word in placer.book.words if start <= word.start < end}
            if not _is_said(words, placed[place].span, runs, others):
                checked[place] = replace(placed[place], reason="words_differ")
        return checked


def _is_said(words: set[int], span: Span, runs: Sequence[PlacedRun], others: Sequence[RejectedSpan]) -> bool:
    """Return whether words, by their first character, are those that are said within a span."""
    said = {
        word.first_char
        for run in runs
        for word in run.words
        if span.start_s - NEAR_S <= (word.start_s + word.end_s) / 2 <= span.end_s + NEAR_S
    }
    return words <= said and all(
        min(span.end_s, other.span.end_s) - max(span.start_s, other.span.start_s) < MIN_OTHER_S for other in others
    )
