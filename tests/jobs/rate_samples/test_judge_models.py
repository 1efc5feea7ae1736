"""Judge models: their choice, fitted limits, and the fallback from an encoder that separates no voices."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from jobs.errors import UserError
from jobs.rate_samples.params import Params, check
from jobs.rate_samples.work import run
from jobs.rating.judge_models import choose_judge_models, comparable_words, fit_limits
from jobs.rating.scoring import GE2E_LIMITS, GE2E_OTHERS, GE2E_OWN, fitted_limits
from jobs.runner.worker.context import JobContext
from jobs.speaker.encoders import ENCODER, XVectorEncoder, encoder_name
from tests.support.hostile.safetensors_files import write_weights
from tests.support.hostile.voices import edit_json, link_out
from tests.support.toy.models import make_toy_whisper

# The package is not in the lock; this has the calls of its README.
STAND_IN = """
class Model:
    def predict(self, *, input_path):
        assert open(input_path, "rb").read(4) == b"RIFF"
        return 3.25

def create_model(*, pretrained):
    assert pretrained
    return Model()
"""
Fables = list[tuple[str, np.ndarray]]


def params(folder: Path, **changes: object) -> Params:
    return Params.model_validate({"takes": str(folder), "narrator_manifest": str(folder / "m.jsonl"), **changes})


def in_cache(hub: Path, model: str, repository: str) -> None:
    """Put a folder where the Hugging Face cache has a repository."""
    home = hub / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("0" * 40)
    shutil.copytree(model, home / "snapshots" / ("0" * 40))


def test_limits_that_are_fitted_to_the_carried_encoders_own_scale_are_its_own() -> None:
    fitted = fitted_limits(GE2E_OWN, GE2E_OTHERS)

    assert (fitted.another, fitted.far, fitted.zero) == pytest.approx(
        (GE2E_LIMITS.another, GE2E_LIMITS.far, GE2E_LIMITS.zero)
    )


def test_limits_lie_between_another_voice_and_the_narrator_on_any_scale() -> None:
    found = fit_limits(0.70, [0.05, 0.10, 0.15])

    assert found.limits is not None
    assert 0.10 < found.limits.far < found.limits.zero < found.limits.another < 0.70
    assert "fitted in this run" in found.source


@pytest.mark.parametrize("others", [[], [0.85, 0.9]])
def test_an_encoder_that_does_not_separate_voices_gets_no_limits(others: list[float]) -> None:
    assert fit_limits(0.95, others).limits is None


def test_an_x_vector_is_a_unit_vector_that_hangs_on_the_audio_and_not_on_its_level(
    toy_xvector: Path, fables: Fables
) -> None:
    encoder = XVectorEncoder(toy_xvector)
    first, second = fables[0][1][::2].copy(), fables[1][1][::2].copy()

    embeddings = [encoder.embed(audio) for audio in (first, first * np.float32(0.5), second, first[:800])]

    assert [embedding.shape for embedding in embeddings] == [(24,)] * 4
    assert [float(embedding @ embedding) for embedding in embeddings] == pytest.approx([1.0] * 4, abs=1e-5)
    assert embeddings[0] @ embeddings[1] == pytest.approx(1.0, abs=1e-3)
    assert not np.allclose(embeddings[0], embeddings[2], atol=1e-4)


def test_the_name_of_an_encoder_changes_with_its_weights(toy_xvector: Path, tmp_path: Path) -> None:
    other = tmp_path / toy_xvector.name
    shutil.copytree(toy_xvector, other)
    content = bytearray((other / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (other / "model.safetensors").write_bytes(content)

    assert encoder_name(toy_xvector) != encoder_name(other)


def test_a_folder_that_is_no_x_vector_model_is_refused_with_what_to_give(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(UserError) as refusal:
        XVectorEncoder(tmp_path)

    assert refusal.value.code == "encoder_unusable"


def test_weights_in_the_cache_judge_unless_only_carried_ones_may(
    tmp_path: Path, toy_xvector: Path, quiet_context: Callable[..., JobContext]
) -> None:
    hub = tmp_path / "hub"
    in_cache(hub, str(toy_xvector), "microsoft/wavlm-base-plus-sv")
    settings = quiet_context(tmp_path, hub).settings

    found = choose_judge_models(settings)
    offline = choose_judge_models(settings, judges="offline")
    unfitted = choose_judge_models(settings, has_other_speaker=False)

    assert found.speaker.name.startswith("WavLM x-vector models--microsoft--wavlm-base-plus-sv")
    assert (offline.speaker.name, unfitted.speaker.name) == (ENCODER, ENCODER)
    assert found.whisper is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU the largest Whisper judges")
def test_without_a_gpu_only_a_small_whisper_judges_unasked(
    tmp_path: Path, quiet_context: Callable[..., JobContext]
) -> None:
    whisper, hub = make_toy_whisper(tmp_path / "toy-whisper"), tmp_path / "hub"
    settings = quiet_context(tmp_path, hub).settings
    in_cache(hub, str(whisper), "Systran/faster-whisper-large-v3")
    large_only = choose_judge_models(settings)
    asked = choose_judge_models(settings, whisper_model="Systran/faster-whisper-large-v3")
    in_cache(hub, str(whisper), "Systran/faster-whisper-small")

    found = choose_judge_models(settings)

    assert large_only.whisper is None
    assert asked.whisper is not None
    assert found.whisper is not None
    assert "faster-whisper-small" in found.whisper.name


def test_a_judge_that_was_given_and_is_not_there_is_refused(
    tmp_path: Path, quiet_context: Callable[..., JobContext]
) -> None:
    with pytest.raises(UserError) as refusal:
        choose_judge_models(quiet_context(tmp_path).settings, speaker_model="microsoft/wavlm-base-sv")

    assert refusal.value.code == "judge_unavailable"
    assert "hf download microsoft/wavlm-base-sv" in refusal.value.hint


def test_an_encoder_without_anchors_to_fit_it_costs_no_job(tmp_path: Path) -> None:
    (tmp_path / "takes.jsonl").touch()
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav", "text": "words"}\n')

    with pytest.raises(UserError) as refusal:
        check(params(tmp_path, speaker_model="x/y", anchor_clips=0))

    assert refusal.value.code == "anchors_needed"


def test_words_are_compared_without_their_signs_and_languages_without_spaces_by_character() -> None:
    assert comparable_words("Grüß Gott, 3 Tage!", "german") == ["grüss", "gott", "3", "tage"]
    assert comparable_words("你好，世界。", "chinese") == list("你好世界")


@pytest.fixture
def job(tmp_path: Path, fables: Fables, write_manifest: Callable[..., Path]) -> Params:
    """Five narrator's clips, and one more as the only take, in a language that the carried recogniser does not know."""
    voice = {"speaker": "slt", "language": "german"}
    narrator = write_manifest(tmp_path / "data", "train_manifest.jsonl", fables[:5], **voice)
    takes = write_manifest(tmp_path / "takes", "takes.jsonl", [fables[7]], **voice)
    return Params(takes=str(takes), narrator_manifest=str(narrator), anchor_clips=1)


def test_random_judges_that_are_given_judge_and_are_not_believed(
    job: Params, tmp_path: Path, toy_xvector: Path, quiet_context: Callable[..., JobContext]
) -> None:
    whisper = make_toy_whisper(tmp_path / "toy-whisper")
    given = job.model_copy(update={"speaker_model": str(toy_xvector), "whisper_model": str(whisper)})

    result = run(given, quiet_context(tmp_path))

    report = json.loads(Path(result.ratings).read_text())
    (take,) = report["takes"]
    assert report["instruments"]["speaker_encoder"].startswith("WavLM x-vector toy-wavlm-sv")
    assert report["instruments"]["recogniser"].startswith("faster-whisper toy-whisper")
    assert report["voice_limits"]["slt"]["limits"] is None
    assert (take["voice"], take["intelligibility"]) == (None, None)
    assert take["rating"] <= 4.0
    assert any("does not separate the narrator" in reason for reason in take["reasons"])
    assert any("of the narrator's own words" in reason for reason in take["reasons"])
    assert take["measures"]["word_error_rate"] > 0.4


def test_an_installed_utmosv2_is_shown_and_no_part_of_the_rating(
    job: Params, tmp_path: Path, quiet_context: Callable[..., JobContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = json.loads(Path(run(job, quiet_context(tmp_path)).ratings).read_text())
    (tmp_path / "utmosv2.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)

    report = json.loads(Path(run(job, quiet_context(tmp_path)).ratings).read_text())

    assert "UTMOSv2" in report["instruments"]["naturalness"]
    assert report["takes"][0]["measures"].pop("utmosv2") == 3.25
    assert report["takes"] == without["takes"]


def test_a_useless_encoder_that_was_only_found_gives_way_to_the_carried_one(
    job: Params, tmp_path: Path, toy_xvector: Path, quiet_context: Callable[..., JobContext]
) -> None:
    in_cache(tmp_path / "hub", str(toy_xvector), "microsoft/wavlm-base-plus-sv")

    result = run(job, quiet_context(tmp_path))

    report = json.loads(Path(result.ratings).read_text())
    assert report["instruments"]["speaker_encoder"] == ENCODER
    assert report["takes"][0]["voice"] is not None


def _without_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["feature_extractor.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _with_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nmkdir\n(S'trace'\ntR.")


@pytest.mark.parametrize(
    "change",
    [
        _without_a_layer,
        _with_a_pickle,
        lambda folder: write_weights(folder / "model.safetensors", {}),
        lambda folder: edit_json(folder / "config.json", hidden_size=10**9),
        lambda folder: edit_json(folder / "config.json", num_hidden_layers=10**6),
        lambda folder: edit_json(folder / "config.json", tdnn_dilation=[10**6] * 5),
        lambda folder: edit_json(folder / "preprocessor_config.json", sampling_rate=1),
        lambda folder: (folder / "config.json").write_text("[" * 100_000),
    ],
)
def test_an_x_vector_model_that_does_not_fit_together_is_refused(
    change: Callable[[Path], object], toy_xvector: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(toy_xvector, tmp_path / "model"))
    change(folder)

    with pytest.raises(UserError) as refusal:
        XVectorEncoder(folder)

    assert refusal.value.code == "encoder_unusable"


def test_weights_of_an_x_vector_model_that_are_a_link_out_are_not_read(toy_xvector: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_xvector, tmp_path / "model"))
    link_out(folder, "model.safetensors")

    for read in (encoder_name, XVectorEncoder):
        with pytest.raises(UserError) as refusal:
            read(folder)
        assert refusal.value.code == "path_outside_model"
