"""Words of a text become clips of whole sentences."""

from __future__ import annotations

from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate, ClipLimits, PlacedRun, TimedWord
from jobs.ingest_audiobook.cut.sentence_candidates import CutText, sentence_candidates
from jobs.text.english_normalization import spoken_map
from jobs.text.sentences import find_breaks

LIMITS = ClipLimits(min_s=1.0, target_s=4.0, max_s=8.0, max_gap_s=1.5, pad_s=0.15)
TEXT = "In 1455 it was printed. The crow, being thirsty, drank. Then it flew."


def cut(
    *runs: tuple[float, int, int], text: str = TEXT, limits: ClipLimits = LIMITS, cut_end: bool = False
) -> list[ClipCandidate]:
    """Make candidates of runs: start in seconds, first and end word; every spoken word takes half a second."""
    words = spoken_map(text)
    placed = []
    for start_s, first, end in runs:
        times = [(start_s + 0.5 * k, start_s + 0.5 * (k + 1)) for k in range(end - first)]
        said = tuple(
            TimedWord(word.word, *time, word.start, word.end)
            for word, time in zip(words[first:end], times, strict=True)
        )
        placed.append(PlacedRun(Span(start_s, times[-1][1], cut_end=cut_end), said))
    spans = [run.span for run in placed]
    return sentence_candidates(CutText(text, words, find_breaks(text, "en")), placed, spans, 60.0, limits).kept


def test_sentences_of_near_runs_are_joined_and_cut_between_sentences() -> None:
    found = cut((1.0, 0, 7), (5.0, 7, 12), (8.0, 12, 15))

    assert [candidate.text for candidate in found] == [
        "In 1455 it was printed.", "The crow, being thirsty, drank. Then it flew.",
    ]  # fmt: skip
    assert found[0].spoken is None
    assert [(candidate.span.start_s, candidate.span.end_s) for candidate in found] == [(0.85, 4.65), (4.85, 9.65)]


def test_words_far_apart_or_not_following_each_other_are_never_joined() -> None:
    far = cut((1.0, 0, 7), (6.2, 7, 12))
    skipped = cut((1.0, 0, 7), (5.0, 12, 15))

    assert [candidate.text for candidate in far] == ["In 1455 it was printed.", "The crow, being thirsty, drank."]
    assert [candidate.text for candidate in skipped] == ["In 1455 it was printed.", "Then it flew."]


def test_speech_between_two_runs_that_is_in_neither_keeps_them_apart() -> None:
    words = spoken_map(TEXT)
    said = [TimedWord(word.word, 0.5 * k, 0.5 * k + 0.5, word.start, word.end) for k, word in enumerate(words)]
    left, right = PlacedRun(Span(0.0, 3.5), tuple(said[:7])), PlacedRun(Span(4.5, 6.0), tuple(said[9:12]))
    text = CutText(TEXT, words, find_breaks(TEXT, "en"))

    kept = sentence_candidates(text, [left, right], [left.span, Span(3.8, 4.2), right.span], 60.0, LIMITS).kept

    assert [candidate.text for candidate in kept] == ["In 1455 it was printed.", "being thirsty, drank."]


def test_a_word_at_an_end_that_lies_within_speech_is_dropped_with_its_neighbours_up_to_a_pause() -> None:
    assert cut((1.0, 0, 7), cut_end=True) == []
