"""Words are where they are spoken: an ingested and aligned book against its truth, by the bench's own measure."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.jobs.align.conftest import PRINTING
from tests.support.word_timing import SAMPLES, measure, read_utterances, sample_utterances


def test_the_sample_audiobook_is_placed_whole(tmp_path):
    audio, text = SAMPLES / "fables.m4b", SAMPLES / "fables.txt"

    figures = measure(audio, text, sample_utterances(text, audio), tmp_path)

    assert figures["share_placed"] == 1.0
    assert figures["wrong_texts"] == []
    assert figures["words_over_0.3_s_off"] == figures["words_cut_by_a_border"] == 0
    assert figures["utterance_start_ms"]["mean"] <= 15
    assert figures["utterance_end_ms"]["mean"] <= 30


def test_real_narration_is_placed_to_the_word_with_starts_within_30_ms(ingested_printing, tmp_path, capsys):
    made, result = ingested_printing
    dataset = Path(shutil.copytree(made, tmp_path / "lj"))
    ingested = result.model_copy(update={"manifest": str(dataset / Path(result.manifest).name)})
    truth = read_utterances(PRINTING / "utterances.jsonl")

    figures = measure(PRINTING / "book.m4b", PRINTING / "book.txt", truth, tmp_path, ingested)

    with capsys.disabled():
        sys.stdout.write(f"\n  printing: {json.dumps(figures)}\n")
    assert figures["share_placed"] >= 0.95
    assert figures["wrong_texts"] == []
    assert figures["words_over_0.3_s_off"] <= 1  # a word after a pause may be stretched over it
    assert figures["words_cut_by_a_border"] == 0
    assert figures["utterance_start_ms"]["n"] == len(truth)
    assert figures["utterance_start_ms"]["mean"] <= 12  # measured: 7
    assert figures["utterance_start_ms"]["p95"] <= 25  # measured: 15
    assert figures["utterance_start_ms"]["max"] <= 50  # measured: 17
