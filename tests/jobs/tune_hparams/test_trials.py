"""Trials: the outcome of a finished training, and the texts that trials speak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.runner.models import Failure, JobRecord
from jobs.synthesize.params import EVALUATION_TEXTS
from jobs.tune_hparams.params import Params
from jobs.tune_hparams.trials import MAX_HELD_OUT_TEXTS, choose_texts, read_outcome


@pytest.mark.parametrize(
    ("job", "stopped_early", "end"),
    [
        ({"state": "succeeded", "result": {"validation_loss": 4.5}}, False, "complete"),
        ({"state": "succeeded", "result": {"validation_loss": 4.5}}, True, "complete"),
        ({"state": "failed", "reason": "cuda_oom"}, False, "out_of_memory"),
        ({"state": "failed", "reason": "oom_likely"}, False, "out_of_memory"),
        ({"state": "failed", "reason": "exit", "failure": "memory_too_small"}, False, "out_of_memory"),
        ({"state": "failed", "reason": "exit", "failure": "training_diverged"}, False, "diverged"),
        ({"state": "failed", "reason": "exit", "failure": "manifest_empty"}, False, "failed"),
        ({"state": "cancelled"}, True, "pruned"),
        ({"state": "cancelled"}, False, "failed"),
    ],
)
def test_the_outcome_of_a_trial_follows_from_the_end_of_its_training(
    job: dict[str, Any], stopped_early: bool, end: str
) -> None:
    failure = {"failure": Failure(code=job["failure"], message="what happened")} if "failure" in job else {}

    outcome = read_outcome(
        JobRecord(job_id="training-1", kind="training", **(job | failure)), stopped_early=stopped_early
    )

    assert outcome.end == end
    assert (outcome.loss is not None) == (end == "complete")


def audio_search(folder: Path, rows: list[tuple[str, str]], **changes: Any) -> Params:
    """Parameters of a search by audio; rows of the manifest are split and text."""
    manifest = folder / "train_manifest_qwen3.jsonl"
    lines = [json.dumps({"audio": "a.wav", "split": split, "text": text}) + "\n" for split, text in rows]
    manifest.write_text("".join(lines))
    return Params.model_validate({"manifest": str(manifest), "objective": "audio", **changes})


def test_held_out_texts_of_a_fit_length_are_spoken_spread_over_the_book(tmp_path: Path) -> None:
    held_out = [f"a sentence of six words number{n}" for n in range(12)]
    rows = [*[("validation", text) for text in held_out], ("validation", "too short"), ("train", held_out[0] + "x")]

    assert choose_texts(audio_search(tmp_path, rows)) == held_out[::2]
    assert len(held_out[::2]) == MAX_HELD_OUT_TEXTS


def test_few_held_out_texts_are_completed_by_fixed_ones(tmp_path: Path) -> None:
    text = "the only sentence that is held out"

    assert choose_texts(audio_search(tmp_path, [("validation", text)] * 3)) == [text, *EVALUATION_TEXTS]
    assert choose_texts(audio_search(tmp_path, [], texts=["given"])) == ["given"]
    assert choose_texts(audio_search(tmp_path, [("validation", text)], objective="loss")) == []
