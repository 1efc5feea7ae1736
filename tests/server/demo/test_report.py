"""The demo's report says what happened, and its verdict can fail."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from server.demo.report import ProgressLine, as_json, as_text, is_good
from server.demo.steps import Step


def told(tmp_path: Path, n_heard: int) -> list[Step]:
    ratings = tmp_path / "ratings.json"
    take = {"text": "The frog sat.", "rating": 3.5, "audio": "000.wav", "heard_words": "the frog sat", "reasons": []}
    ratings.write_text(json.dumps({"takes": [take]}))
    return [
        Step("Speak", "synthesize", "succeeded", 5.0, "synthesize-x", result={"folder": str(tmp_path)}),
        Step("Listen", "rate_samples", "succeeded", 4.0, "rate_samples-x", made=str(ratings),
             result={"ratings": str(ratings), "n_text_heard": n_heard, "n_takes": 8}),
    ]  # fmt: skip


def test_six_of_eight_heard_is_enough(tmp_path: Path) -> None:
    assert is_good(told(tmp_path, 6))


def test_five_of_eight_heard_is_a_failure(tmp_path: Path) -> None:
    assert not is_good(told(tmp_path, 5))


def test_a_failed_step_is_a_failure_and_names_its_log(tmp_path: Path) -> None:
    error = {"code": "audio_missing", "message": "There is no file x.", "hint": "Check the path."}
    steps = [*told(tmp_path, 8), Step("Cut", "ingest_audiobook", "failed", 1.0, "ingest-1", error=error)]

    text = as_text(steps, 3.0)

    assert not is_good(steps)
    assert "audio_missing: There is no file x." in text
    assert "./run.sh logs ingest-1" in text


def test_the_report_is_one_json_object_with_the_sentences(tmp_path: Path) -> None:
    report = json.loads(as_json(told(tmp_path, 6), 12.34))

    assert report["ok"] is True
    assert report["total_s"] == 12.3
    assert report["takes"][0]["heard_words"] == "the frog sat"
    assert "quality" in report["proves_not"]


@pytest.mark.parametrize("fraction", [0.41, 0.42])
def test_progress_away_from_a_terminal_is_a_line_every_tenth(fraction: float) -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    job: dict[str, Any] = {"job_id": "j", "kind": "training", "state": "running", "poll_after_s": 2}

    line.show({**job, "fraction": 0.40})
    line.show({**job, "fraction": fraction})

    assert stream.getvalue().count("\n") == 1
