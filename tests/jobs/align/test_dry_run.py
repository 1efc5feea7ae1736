"""A dry run says which aligner each language gets, before anything is loaded."""

import json
from pathlib import Path

import pytest

from jobs.align.dry_run import aligner_for, plan
from jobs.align.params import Params
from jobs.asr.model_registry import BUNDLE_FILES
from jobs.settings import Settings


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(
        home=tmp_path, envs=tmp_path, roots=(tmp_path,), hub_cache=tmp_path / "hub", torch_cache=tmp_path / "torch"
    )


def manifest_of(folder: Path, rows: list[dict]) -> Path:
    path = folder / "train_manifest.jsonl"
    path.write_text(
        "".join(json.dumps({"audio": "a.wav", "text": "One.", "language": "english", **row}) + "\n" for row in rows)
    )
    return path


def test_the_plan_counts_clips_hours_and_what_cannot_be_used(settings, tmp_path):
    rows = [{"duration_s": 3600.0}, {"duration_s": 3595.0}, {}, {"duration_s": 5.0, "text": "—"}]

    planned = plan(Params(manifest=str(manifest_of(tmp_path, rows))), settings)

    assert planned["data"] == {"clips": 4, "hours": 2.001, "clips_without_length": 1, "clips_without_text": 1}
    assert planned["aligner"] == {"english": "pocketsphinx"}
    assert planned["time"]["about_min"] == pytest.approx(1.8, abs=0.1)
    assert planned["disk"]["fits"]
    assert planned["disk"]["need_mb"] == pytest.approx(3.6, abs=0.1)


def test_the_model_on_this_machine_is_taken_and_another_is_named_as_a_download(settings, tmp_path):
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / BUNDLE_FILES["VOXPOPULI_ASR_BASE_10K_DE"]).touch()

    assert aligner_for("german", "auto", None, settings) == "whisperx VOXPOPULI_ASR_BASE_10K_DE"
    assert aligner_for("english", "whisperx", None, settings) == "whisperx WAV2VEC2_ASR_BASE_960H, to be downloaded"


@pytest.mark.parametrize("language", ["french", "auto", "klingon"])
def test_a_language_without_an_aligner_is_told_with_the_reason(settings, language):
    assert aligner_for(language, "auto", None, settings).startswith("none: ")


def test_so_many_languages_of_a_stranger_are_listed(settings, tmp_path):
    rows = [{"language": f"made up {number}"} for number in range(200)] + [{}, {}]

    found = plan(Params(manifest=str(manifest_of(tmp_path, rows))), settings)

    assert len(found["aligner"]) == 20
    assert "english" in found["aligner"]
