"""Resolution of a model's name to a directory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.qwen.hub import resolve_model, resolve_tokenizer
from jobs.qwen.toy.checkpoints import TOY_CODEC
from jobs.qwen.toy.config import Shape
from jobs.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", envs=tmp_path, roots=(tmp_path,))


def test_the_toy_is_built_once_and_whole(settings: Settings) -> None:
    first = resolve_model("toy", settings)
    weights = (first / "model.safetensors").stat()
    second = resolve_model("toy", settings)

    assert second == first
    assert (second / "model.safetensors").stat().st_mtime_ns == weights.st_mtime_ns
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    codec = (first / "speech_tokenizer" / "model.safetensors").read_bytes()
    assert codec == (TOY_CODEC / "model.safetensors").read_bytes()


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json", "speech_tokenizer/model.safetensors"])
def test_a_model_without_a_file_is_refused_by_the_files_name(
    missing: str, wandering_toy: Callable[[Shape], Path], settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(wandering_toy("0.6b"), folder)
    (folder / missing).unlink()

    with pytest.raises(UserError, match=missing.replace(".", r"\.")) as refused:
        resolve_model(str(folder), settings)

    assert refused.value.code == "model_without_weights"


def test_another_kind_of_model_is_refused(
    wandering_toy: Callable[[Shape], Path], settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(wandering_toy("0.6b"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "xtts"}))

    with pytest.raises(UserError, match="'xtts'") as refused:
        resolve_model(str(folder), settings)

    assert refused.value.code == "model_not_qwen_tts"


def test_a_name_that_is_neither_directory_nor_hub_id_is_unavailable(settings: Settings) -> None:
    with pytest.raises(UserError) as refused:
        resolve_model("no/such/directory", settings)

    assert refused.value.code == "model_unavailable"
    assert "hub id" in refused.value.hint


def test_a_hub_id_that_is_not_cached_is_unavailable_without_a_network(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(UserError, match="cannot be reached") as refused:
        resolve_model("Qwen/Qwen3-TTS-12Hz-0.6B-Base", settings)

    assert refused.value.code == "model_unavailable"
    assert "hf download" in refused.value.hint


def test_the_tokenizer_of_a_model_stands_for_itself(wandering_toy: Callable[[Shape], Path], settings: Settings) -> None:
    folder = wandering_toy("1.7b")

    assert resolve_tokenizer(str(folder), settings) == folder / "speech_tokenizer"
    assert resolve_tokenizer("toy", settings) == TOY_CODEC
