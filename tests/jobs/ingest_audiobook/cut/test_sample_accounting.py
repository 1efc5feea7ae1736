"""Every sample of a chunk is in a clip or in a rejection."""

from __future__ import annotations

from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate, RejectedSpan
from jobs.ingest_audiobook.output.clip_writer import account_for_samples


def test_candidates_rejections_speech_and_silence_cover_every_sample_once() -> None:
    candidates = [ClipCandidate(Span(1.0, 2.0), "one"), ClipCandidate(Span(2.0, 3.5), "two")]
    rejected_spans = [RejectedSpan(Span(3.0, 5.0), "words_differ"), RejectedSpan(Span(9.0, 12.0), "not_in_text")]
    speech = [RejectedSpan(Span(1.0, 5.0), "cut_in_speech"), RejectedSpan(Span(6.0, 7.0), "cut_in_speech")]

    kept, rejected = account_for_samples(candidates, rejected_spans, speech, 240_000)

    assert [(first, last, candidate.text) for first, last, candidate in kept] == [
        (24_000, 48_000, "one"),
        (48_000, 84_000, "two"),
    ]
    assert [(first, last, span.reason) for first, last, span in rejected] == [
        (0, 24_000, "silence"),
        (84_000, 120_000, "words_differ"),
        (120_000, 144_000, "silence"),
        (144_000, 168_000, "cut_in_speech"),
        (168_000, 216_000, "silence"),
        (216_000, 240_000, "not_in_text"),
    ]


def test_borders_that_round_to_two_samples_are_shared() -> None:
    border = 1.5 + 1 / 48_000

    kept, rejected = account_for_samples(
        [ClipCandidate(Span(0, border + 1e-9), "a"), ClipCandidate(Span(border - 1e-9, 3), "b")], [], [], 72_000
    )

    assert kept[0][1] == kept[1][0]
    assert rejected == []
