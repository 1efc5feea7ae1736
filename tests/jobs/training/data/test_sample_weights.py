"""Weights of speakers and languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.training.data.sample_weights import weigh_clips
from jobs.training.params import Params
from jobs.training.planning.dry_run import plan

CLIPS = [("anna", "german"), ("anna", "english"), ("ben", "german")]


def test_speaker_and_language_multiply_and_others_count_once() -> None:
    assert weigh_clips(["anna=2", "german=0.5"], CLIPS) == [1.0, 2.0, 0.5]
    assert weigh_clips([], CLIPS) == []


@pytest.mark.parametrize(("given", "message"), [(["carl=2"], "carl, which no clip"), (["anna=0", "ben=0"], "every")])
def test_names_of_no_clip_and_weights_that_leave_nothing_are_refused(given: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        weigh_clips(given, CLIPS)

    assert refused.value.code == "sample_weight_unknown"


def test_the_plan_counts_the_steps_and_frames_of_weighted_epochs(settings: Any, tmp_path: Path) -> None:
    rows = [
        {"audio": "a.wav", "text": "word", "speaker": speaker, "language": language, "ref_audio": "a.wav",
         "split": "train", "audio_codes": [[1] * 16] * 50}
        for speaker, language in [("Anna", "German"), ("Ben", "English")] for _ in range(20)
    ]  # fmt: skip
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"manifest": str(manifest), "base_model": "toy", "epochs": 2, "validation_share": 0.0}

    plain, weighted = (plan(Params(**given, sample_weights=names), settings) for names in ([], ["anna=3", "german=2"]))

    assert (plain["settings"]["optimizer_steps"], weighted["settings"]["optimizer_steps"]) == (20, 70)
    assert weighted["data"]["clips_an_epoch"] == 140
    assert "clips_an_epoch" not in plain["data"]
    seconds = [60 * planned["time"]["about_min"] - 10 for planned in (plain, weighted)]
    assert seconds[1] == pytest.approx(3.5 * seconds[0], rel=0.3)
    with pytest.raises(UserError, match="no clip to train on has"):
        plan(Params(**given, sample_weights=["french=2"]), settings)
