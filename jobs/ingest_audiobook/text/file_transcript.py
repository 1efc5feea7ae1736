"""Clip candidates from a transcript that is given back: sentences with times and words, edited or not.

Words whose writing is still in their sentence keep their times. A part that was rewritten has the time of what it
replaces, as one: no clip is cut within it. So a sentence without words is never cut.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rapidfuzz.distance import Levenshtein

from jobs.asr.model_registry import language_code
from jobs.asr.transcript import WITHOUT_SPACES
from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.audio.vad_segments import Span, speech_spans
from jobs.ingest_audiobook.cut.clip_candidates import (
    Candidates,
    ClipLimits,
    Origin,
    PlacedRun,
    RejectedSpan,
    SaidSentence,
    TimedWord,
)
from jobs.ingest_audiobook.cut.clip_filters import mark_cut_runs
from jobs.ingest_audiobook.cut.sentence_candidates import CutText, sentence_candidates
from jobs.ingest_audiobook.heard_book.matching import letters, written_words
from jobs.ingest_audiobook.heard_book.whisper_text import MAX_WINDOW_S, MIN_PAUSE_S
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk
from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.text.segment_clips import rejection_reason
from jobs.ingest_audiobook.text.subtitles import Segment
from jobs.ingest_audiobook.text.transcript_rows import SaidWord, Sentence, sentences_between
from jobs.text.english_normalization import SpokenWord, spoken_words
from jobs.text.sentences import TextBreaks, find_breaks


@dataclass(frozen=True)
class _TimedPart:
    """Characters of a sentence that are cut as one, and when they are said, seconds of the recording."""

    first_char: int
    last_char: int
    start_s: float
    end_s: float
    word: SaidWord | None = None


class FileTranscript:
    """The sentences of a transcript file."""

    origin: Origin = "subtitle"
    n_words: int | None = None
    notes: Sequence[str] = ()

    def __init__(self, sentences: Sequence[Sequence[Sentence]], language: str) -> None:
        self.sentences = sentences
        self._code = language_code(language) or "en"
        self._recording = 0

    @property
    def keep_whole(self) -> Sequence[Span]:
        """The sentences of the current recording."""
        return [Span(row.start_s, row.end_s) for row in self.sentences[self._recording]]

    @property
    def segments(self) -> list[list[Segment]]:
        """The sentences without their words; ``line`` counts those of a recording."""
        return [
            [Segment(number, row.start_s, row.end_s, row.text) for number, row in enumerate(rows, 1)]
            for rows in self.sentences
        ]

    def begin(self, unit: WorkUnit) -> None:
        """Switch to the sentences of the unit's recording."""
        self._recording = unit.recording

    def find_candidates(self, chunk: SpeechChunk, limits: ClipLimits, usable: Span) -> Candidates:
        """Make candidates of the sentences of a chunk, those of one origin together."""
        rows, rejected = self._fitting(chunk)
        runs = speech_spans(chunk.probabilities, max_span_s=MAX_WINDOW_S, min_silence_s=MIN_PAUSE_S)
        found = Candidates([], rejected, [], [])
        for origin in dict.fromkeys(row.origin for row in rows):
            text, placed = self._place([row for row in rows if row.origin == origin], chunk.start_24k)
            more = sentence_candidates(text, mark_cut_runs(placed, usable), runs, chunk.duration_s, limits)
            found = Candidates(
                found.kept + more.kept, found.rejected + more.rejected, [], found.sentences + more.sentences
            )
        speech = [RejectedSpan(run, "not_in_transcript", "speech without a sentence") for run in runs]
        unused = [SaidSentence(one.text or "", (), "subtitle", one.span.start_s, one.span.end_s) for one in rejected]
        sentences = sorted(found.sentences + unused, key=lambda one: one.start_s)
        return found._replace(speech=speech, sentences=sentences)

    def _fitting(self, chunk: SpeechChunk) -> tuple[list[Sentence], list[RejectedSpan]]:
        kept: list[Sentence] = []
        rejected: list[RejectedSpan] = []
        reached_s = 0.0
        for row in sentences_between(self.sentences[self._recording], chunk.start_24k, chunk.end_24k):
            span = Span(row.start_s - chunk.start_s, row.end_s - chunk.start_s)
            reason = rejection_reason(row.start_s, span, reached_s, chunk.duration_s, letters(row.text))
            if reason is None:
                kept.append(row)
                reached_s = span.end_s
            else:
                inside = [min(max(time_s, 0.0), chunk.duration_s) for time_s in (span.start_s, span.end_s)]
                rejected.append(
                    RejectedSpan(Span(inside[0], inside[1]), reason, f"{row.start_s}-{row.end_s} s", row.text)
                )
        return kept, rejected

    def _place(self, rows: Sequence[Sentence], start_24k: int) -> tuple[CutText, list[PlacedRun]]:
        """Join sentences to a text; each ends a sentence, and its words are a run of speech."""
        space = "" if self._code in WITHOUT_SPACES else " "
        sentences, words, ends, placed = [" ".join(row.text.split()) for row in rows], [], set(), []
        first = 0
        for row, sentence in zip(rows, sentences, strict=True):
            ends.add(first + len(sentence))
            timed = [
                word
                for part in time_parts(sentence, row, self._code)
                for word in self._spoken(part, sentence, first, start_24k)
            ]
            first += len(sentence) + len(space)
            words += [SpokenWord(word.word, word.first_char, word.last_char) for word in timed]
            placed.append(PlacedRun(Span(timed[0].start_s, timed[-1].end_s), tuple(timed)))
        text = space.join(sentences)
        breaks = find_breaks(text, self._code)
        breaks = TextBreaks(tuple(sorted(ends.union(breaks.sentences))), breaks.clauses)
        cut_text = CutText(text, words, breaks, origin=rows[0].origin, is_spoken_form=self._code == "en")
        return cut_text, placed

    def _spoken(self, part: _TimedPart, sentence: str, offset: int, start_24k: int) -> Iterator[TimedWord]:
        """Yield the spoken words of a part, in seconds of the chunk."""
        written = sentence[part.first_char : part.last_char]
        usual = spoken_words(written) if self._code == "en" else []
        known = part.word or SaidWord(word=written, start_s=part.start_s, end_s=part.end_s)
        spoken = known.get("spoken") or usual or [written]
        at = [
            (round(time_s * CLIP_RATE_HZ) - start_24k) / CLIP_RATE_HZ for time_s in (part.start_s, part.end_s)
        ]  # exactly as it was before it was written
        step_s = (at[1] - at[0]) / len(spoken)
        times = [at[0], *(at[0] + step_s * k for k in range(1, len(spoken))), at[1]]
        for word, (start_s, end_s) in zip(spoken, itertools.pairwise(times), strict=True):
            yield TimedWord(word, start_s, end_s, offset + part.first_char, offset + part.last_char, known.get("score"))


def time_parts(text: str, row: Sentence, language: str) -> list[_TimedPart]:
    """Return the parts of a sentence with their times: a word each where its words are still those of its text."""
    parts = _unchanged(text, row.words) or list(_changed(text, row, language))
    parts[0] = replace(parts[0], start_s=row.start_s, end_s=max(row.start_s, parts[0].end_s))
    parts[-1] = replace(parts[-1], start_s=min(parts[-1].start_s, row.end_s), end_s=row.end_s)
    return parts


def _unchanged(text: str, words: Sequence[SaidWord]) -> list[_TimedPart]:
    """Return the words' places in the text; nothing when it has other words."""
    parts: list[_TimedPart] = []
    place = 0
    for word in words:
        start = text.find(word["word"], place)
        if start < 0 or letters(text[place:start]) or not letters(word["word"]):
            return []
        place = start + len(word["word"])
        parts.append(_TimedPart(start, place, word["start_s"], word["end_s"], word))
    return [] if letters(text[place:]) else parts


def _changed(text: str, row: Sentence, language: str) -> Iterator[_TimedPart]:
    """Yield the words that a sentence still has, and between them what was rewritten, each change as one part."""
    tokens = written_words(text, language)
    known = [word for word in row.words if letters(word["word"])]
    reached_s = row.start_s
    changes = Levenshtein.opcodes([letters(word["word"]) for word in known], [token.word for token in tokens])
    for change in changes:
        old, new = known[change.src_start : change.src_end], tokens[change.dest_start : change.dest_end]
        if change.tag == "equal":
            for word, token in zip(old, new, strict=True):
                yield _TimedPart(token.start, token.end, word["start_s"], word["end_s"], word)
        elif new:
            start_s = old[0]["start_s"] if old else reached_s
            after_s = known[change.src_end]["start_s"] if change.src_end < len(known) else row.end_s
            end_s = old[-1]["end_s"] if old else after_s
            yield _TimedPart(new[0].start, new[-1].end, start_s, max(start_s, end_s))
        reached_s = old[-1]["end_s"] if old else reached_s
