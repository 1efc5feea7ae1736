"""Clip candidates from words found in a text: of whole sentences where they can be, never cut within a word."""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import (
    Candidates,
    ClipCandidate,
    ClipLimits,
    Origin,
    PlacedRun,
    RejectedSpan,
    SaidSentence,
    TimedWord,
    WrittenWord,
    reject_by_length,
)
from jobs.ingest_audiobook.cut.cut_plan import MIN_PAUSE_S, Break, Gap, plan_cuts
from jobs.text.english_normalization import SpokenWord, spoken_words, with_marks, written_between
from jobs.text.sentences import TextBreaks


class CutText:
    """A text with the places where its words begin and its sentences and clauses end."""

    def __init__(
        self,
        text: str,
        words: Sequence[SpokenWord],
        breaks: TextBreaks,
        *,
        origin: Origin = "book",
        is_spoken_form: bool = True,
    ) -> None:
        """Keep a text; ``is_spoken_form``: its words are as they are said, not as they are written."""
        self.text = text
        self.origin = origin
        self.is_spoken_form = is_spoken_form
        self._breaks = breaks
        self._starts = [word.start for word in words]

    def next_word(self, character: int) -> int:
        """Return the index of the first spoken word at or after a character."""
        return bisect_left(self._starts, character)

    def start_of(self, word: int) -> int:
        """Return the character at which a spoken word begins; the text's end after the last one."""
        return self._starts[word] if word < len(self._starts) else len(self.text)

    def writing(self, first_char: int, last_char: int, *, is_clip: bool = True) -> str:
        """Return characters with their punctuation; a clip has no half of a pair of quotes."""
        limit = self.start_of(self.next_word(last_char))
        return (written_between if is_clip else with_marks)(self.text, first_char, last_char, limit)

    def unusual(self, spoken: Sequence[str], writing: str) -> tuple[str, ...] | None:
        """Return spoken words that are not those by which a writing is usually said."""
        is_usual = not self.is_spoken_form or list(spoken) == spoken_words(writing)
        return None if is_usual else tuple(spoken)

    def follows(self, left: TimedWord, right: TimedWord) -> bool:
        """Return True when no word of the text lies between two words, or both are of one written word."""
        is_same = left.first_char == right.first_char
        return is_same or self.start_of(self.next_word(left.last_char)) == right.first_char

    def break_between(self, left: TimedWord, right: TimedWord) -> Break:
        """Return what ends between two words that follow each other."""
        for ends, kind in ((self._breaks.sentences, "sentence"), (self._breaks.clauses, "clause")):
            if bisect_right(ends, right.first_char) > bisect_left(ends, left.last_char):
                return kind  # type: ignore[return-value]
        return "none"


@dataclass(frozen=True)
class _Said:
    """A word, and where the speech begins and ends that it is the first or last word of."""

    word: TimedWord
    start_s: float
    end_s: float


def sentence_candidates(
    text: CutText, placed: Sequence[PlacedRun], runs: Sequence[Span], duration_s: float, limits: ClipLimits
) -> Candidates:
    """Make clip candidates of runs whose words were found in the text; speech beside them is rejected.

    Args:
        text: that was spoken.
        placed: runs of speech with their words, in order.
        runs: all runs of speech of the chunk, found or not.
        duration_s: of the chunk.
        limits: lengths of clips.
    """
    candidates: list[ClipCandidate] = []
    sentences: list[SaidSentence] = []
    for stretch in _stretches(text, placed, runs, limits):
        gaps = _gaps(text, stretch, runs, duration_s)
        candidates += [_candidate(text, stretch, gaps, first, end, limits) for first, end in plan_cuts(gaps, limits)]
        sentences += _sentences(text, stretch)
    speech = [RejectedSpan(run, "cut_in_speech", "next to words that were kept") for run in runs]
    return Candidates(*reject_by_length(candidates, limits), speech, sentences)


def _stretches(
    text: CutText, placed: Sequence[PlacedRun], runs: Sequence[Span], limits: ClipLimits
) -> list[list[_Said]]:
    """Group words that follow each other in the text and, but for pauses of at most ``max_gap_s``, in time."""
    stretches: list[list[_Said]] = []
    for run in map(_without_cut_ends, placed):
        if not run.words:
            continue
        said = [_Said(word, _on_sample(word.start_s), _on_sample(word.end_s)) for word in run.words]
        said[0] = replace(said[0], start_s=_on_sample(min(run.span.start_s, said[0].start_s)))
        said[-1] = replace(said[-1], end_s=_on_sample(max(run.span.end_s, said[-1].end_s)))
        if stretches and _continues(text, stretches[-1][-1], said[0], runs, limits):
            stretches[-1] += said
        else:
            stretches.append(said)
    return stretches


def _on_sample(time_s: float) -> float:
    """Return the time of the nearest sample, so that a transcript that is written and read again has the same times."""
    return round(time_s * CLIP_RATE_HZ) / CLIP_RATE_HZ


def _sentences(text: CutText, stretch: Sequence[_Said]) -> Iterator[SaidSentence]:
    """Divide the words of a stretch where sentences end."""
    first = 0
    for k in range(1, len(stretch) + 1):
        if k < len(stretch) and text.break_between(stretch[k - 1].word, stretch[k].word) != "sentence":
            continue
        said = stretch[first:k]
        first = k
        groups = [list(group) for _, group in itertools.groupby(said, key=lambda one: one.word.first_char)]
        writing = text.writing(said[0].word.first_char, said[-1].word.last_char, is_clip=False)
        words = tuple(_written_word(text, group) for group in groups)
        yield SaidSentence(writing, words, text.origin, said[0].start_s, said[-1].end_s)


def _written_word(text: CutText, said: Sequence[_Said]) -> WrittenWord:
    written = text.text[said[0].word.first_char : said[0].word.last_char]
    scores = [one.word.score for one in said if one.word.score is not None]
    return WrittenWord(
        written,
        said[0].start_s,
        said[-1].end_s,
        sum(scores) / len(scores) if scores else None,
        text.unusual([one.word.word for one in said], written),
    )


def _continues(text: CutText, left: _Said, right: _Said, runs: Sequence[Span], limits: ClipLimits) -> bool:
    is_near = right.start_s - left.end_s <= limits.max_gap_s
    has_speech = any(left.end_s < (run.start_s + run.end_s) / 2 < right.start_s for run in runs)
    return is_near and not has_speech and text.follows(left.word, right.word)


def _gaps(text: CutText, stretch: Sequence[_Said], runs: Sequence[Span], duration_s: float) -> list[Gap]:
    first_s, last_s = stretch[0].start_s, stretch[-1].end_s
    before_s = max((run.end_s for run in runs if run.end_s <= first_s), default=-first_s)
    after_s = min((run.start_s for run in runs if run.start_s >= last_s), default=2 * duration_s - last_s)
    inner = [
        Gap(
            left.end_s,
            right.start_s,
            text.break_between(left.word, right.word),
            left.word.first_char != right.word.first_char,
        )
        for left, right in itertools.pairwise(stretch)
    ]
    return [Gap(before_s, first_s), *inner, Gap(last_s, after_s)]


def _without_cut_ends(run: PlacedRun) -> PlacedRun:
    """Drop the words before the first pause at an end that lies within speech: the outermost word may be cut."""
    words, span = run.words, run.span
    if span.cut_start:
        k = _pause_after(words, range(1, len(words)))
        words = words[k:] if k else ()
    if span.cut_end and words:
        words = words[: _pause_after(words, range(len(words) - 1, 0, -1))]
    if not words or words == run.words:
        return PlacedRun(span, words)
    start = span.start_s if not span.cut_start else words[0].start_s
    return PlacedRun(Span(start, span.end_s if not span.cut_end else words[-1].end_s), words)


def _pause_after(words: Sequence[TimedWord], order: range) -> int:
    """Return the first k in ``order`` with a pause of 0.1 s before word k, else 0."""
    return next((k for k in order if words[k].start_s - words[k - 1].end_s >= 0.1), 0)


def _candidate(
    text: CutText, stretch: Sequence[_Said], gaps: Sequence[Gap], first: int, end: int, limits: ClipLimits
) -> ClipCandidate:
    words = [said.word for said in stretch[first:end]]
    first_char, last_char = words[0].first_char, words[-1].last_char
    writing = text.writing(first_char, last_char)
    return ClipCandidate(
        span=Span(
            gaps[first].clip_start_s(limits.pad_s),
            gaps[end].clip_end_s(limits.pad_s),
            cut_start=first > 0 and gaps[first].pause_s < MIN_PAUSE_S,
            cut_end=end < len(stretch) and gaps[end].pause_s < MIN_PAUSE_S,
        ),
        text=writing,
        spoken=text.unusual([word.word for word in words], writing),
        n_words=text.next_word(last_char) - text.next_word(first_char) if text.origin == "book" else 0,
        origin=text.origin,
    )
