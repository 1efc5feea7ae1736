"""Subtitles that are late as a whole are moved, and the report says by how much."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.asr.silero_vad import StreamVad, speech_probabilities
from jobs.audio.clip_io import SPEECH_RATE_HZ, read_clip
from jobs.audio.vad_segments import speech_spans
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.work import run
from jobs.settings import PROJECT_ROOT

SAMPLE = PROJECT_ROOT / "samples" / "fables.m4b"


@pytest.mark.parametrize("late_s", [0.0, 0.5])
def test_the_report_says_by_how_much_subtitles_were_late(
    tmp_path: Path, make_context: Callable[[], Any], late_s: float
) -> None:
    probabilities = speech_probabilities(StreamVad(), read_clip(SAMPLE, SPEECH_RATE_HZ))
    spans = [span for span in speech_spans(probabilities, max_span_s=25.0) if span.duration_s > 1.0]
    lines = [{"start": span.start_s + late_s, "end": span.end_s + late_s, "text": "Something."} for span in spans]
    (tmp_path / "late.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    params = Params(
        audio=str(SAMPLE), segments_jsonl=str(tmp_path / "late.jsonl"), voice="slt", out_dir=str(tmp_path / "slt"),
        min_clip_s=1.0, target_clip_s=2.0, quality={"dnsmos": "off", "text_match": "off", "reject": False},
    )  # fmt: skip

    result = run(params, make_context())

    moved = [line for line in result.summary.splitlines() if "given segments were moved" in line]
    assert len(moved) == (1 if late_s else 0)
    assert not moved or "they were late by +0." in moved[0]
    rows = [json.loads(line) for line in (tmp_path / "slt" / "train_manifest.jsonl").read_text().splitlines()]
    starts = [row["source"]["start_s"] for row in rows]
    assert max(min(abs(start - span.start_s) for span in spans) for start in starts) < 0.4
