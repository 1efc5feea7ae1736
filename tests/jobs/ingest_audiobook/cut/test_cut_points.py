"""Words decide where clips are cut."""

from __future__ import annotations

from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, TimedWord
from jobs.ingest_audiobook.cut.cut_points import part_spans, split_ranges


def words(*times: tuple[float, float]) -> tuple[TimedWord, ...]:
    """Words of two letters, each with a space after it."""
    return tuple(TimedWord("ab", start, end, 3 * k, 3 * k + 2) for k, (start, end) in enumerate(times))


def test_a_run_is_split_at_its_longest_pause_and_only_if_it_must_be() -> None:
    said = words((0, 1), (1.1, 2), (2.5, 4), (4.1, 5), (5.2, 6))

    assert split_ranges(said, 10.0) == [(0, 5)]
    assert split_ranges(said, 5.0) == [(0, 2), (2, 5)]


def test_words_that_are_written_together_stay_together() -> None:
    said = (
        TimedWord("fourteen", 0, 2, 0, 4),
        TimedWord("fifty", 3, 4, 0, 4),
        TimedWord("five", 4.1, 5, 0, 4),
        TimedWord("men", 5.1, 6, 5, 8),
    )

    assert split_ranges(said, 6.0) == [(0, 3), (3, 4)]


def test_cuts_fall_in_the_middle_of_pauses_and_outer_ends_are_padded_up_to_the_neighbours() -> None:
    run = PlacedRun(Span(1.0, 5.0), words((1.0, 2.0), (2.4, 3.0), (3.01, 5.0)))

    spans = part_spans(run, [(0, 1), (1, 2), (2, 3)], before_s=0.9, after_s=9.0)

    assert [(round(span.start_s, 3), round(span.end_s, 3)) for span in spans] == [
        (0.95, 2.2), (2.2, 3.005), (3.005, 5.1),
    ]  # fmt: skip
    assert [(span.cut_start, span.cut_end) for span in spans] == [(False, False), (False, True), (True, False)]
