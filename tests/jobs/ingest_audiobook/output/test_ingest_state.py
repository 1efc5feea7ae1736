"""Every sample of a stretch is in a clip or in a rejection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.audio.vad_segments import Span
from jobs.errors import UserError
from jobs.ingest_audiobook.cut.clip_candidates import Piece, Refusal
from jobs.ingest_audiobook.cut.sample_accounting import tiled
from jobs.ingest_audiobook.output.ingest_state import IngestState, UnitRecord, faded, seconds


def test_pieces_refusals_speech_and_silence_tile_the_samples() -> None:
    pieces = [Piece(Span(1.0, 2.0), "one"), Piece(Span(2.0, 3.5), "two")]
    refused = [Refusal(Span(3.0, 5.0), "words_differ"), Refusal(Span(9.0, 12.0), "not_in_text")]
    rest = [Refusal(Span(1.0, 5.0), "cut_in_speech"), Refusal(Span(6.0, 7.0), "cut_in_speech")]

    kept, rejected = tiled(pieces, refused, rest, 240_000)

    assert [(first, last, piece.text) for first, last, piece in kept] == [
        (24_000, 48_000, "one"),
        (48_000, 84_000, "two"),
    ]
    assert [(first, last, refusal.reason) for first, last, refusal in rejected] == [
        (0, 24_000, "silence"),
        (84_000, 120_000, "words_differ"),
        (120_000, 144_000, "silence"),
        (144_000, 168_000, "cut_in_speech"),
        (168_000, 216_000, "silence"),
        (216_000, 240_000, "not_in_text"),
    ]


def test_borders_that_round_to_two_samples_are_shared() -> None:
    border = 1.5 + 1 / 48_000

    kept, rejected = tiled([Piece(Span(0, border + 1e-9), "a"), Piece(Span(border - 1e-9, 3), "b")], [], [], 72_000)

    assert kept[0][1] == kept[1][0]
    assert rejected == []


def test_seconds_give_the_sample_back() -> None:
    samples = np.random.default_rng(0).integers(0, 40 * 3600 * 24_000, 10_000)

    assert all(round(seconds(int(sample)) * 24_000) == sample for sample in samples)


def test_only_an_end_that_is_cut_in_speech_is_faded() -> None:
    tone = np.ones(24_000, np.float32)

    both, neither, start = faded(tone, True, True), faded(tone, False, False), faded(tone, True, False)

    assert (both[0], both[-1], both[960], both[480]) == (0.0, 0.0, 1.0, pytest.approx(0.5, abs=0.01))
    assert np.array_equal(neither, tone)
    assert (start[0], start[-1]) == (0.0, 1.0)


def test_records_are_read_up_to_the_first_gap(tmp_path: Path) -> None:
    state = IngestState(tmp_path, {"voice": "a"})
    for index in (0, 1, 3):
        state.add(UnitRecord(index=index, chapter=1, start_24k=0, end_24k=9, clips=[], rejections=[], n_words=0))

    assert [record.index for record in IngestState(tmp_path, {"voice": "a"}).finished()] == [0, 1]


def test_a_folder_of_another_ingest_is_refused_with_what_differs(tmp_path: Path) -> None:
    IngestState(tmp_path, {"voice": "a", "audio": "1"})

    with pytest.raises(UserError) as caught:
        IngestState(tmp_path, {"voice": "b", "audio": "1"})

    assert caught.value.code == "dataset_differs"
    assert "voice" in caught.value.message
