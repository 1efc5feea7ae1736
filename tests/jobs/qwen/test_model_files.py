"""A broken model's directory is refused before a job is queued, without any heavy library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.qwen.model_files import CARD, CARD_BYTES, check_model, check_tokenizer, read_card
from jobs.synthesize.params import Params as SynthesizeParams
from jobs.synthesize.params import check as check_synthesize
from tests.support.hostile.voices import write_light_model


def voice(folder: Path) -> Path:
    talker = {"spk_id": {"ann": 3000}, "codec_language_id": {"english": 1}}
    return write_light_model(folder, tts_model_type="custom_voice", talker_config=talker)


def refusal(**request: object) -> str:
    with pytest.raises(UserError) as caught:
        check_synthesize(SynthesizeParams.model_validate({"texts": ["Hello."], **request}))
    return caught.value.code


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    folder = write_light_model(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "vocab.json").unlink()

    with pytest.raises(UserError, match=r"lacks vocab.json, model.safetensors\.") as caught:
        check_model(folder, "mine")

    assert caught.value.code == "model_without_weights"


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = write_light_model(tmp_path / "model")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model-1.safetensors").touch()

    with pytest.raises(UserError, match=r"lacks model-2.safetensors\."):
        check_model(folder, "mine")


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        check_model(write_light_model(tmp_path / "model", model_type="llama"), "mine")

    assert caught.value.code == "model_not_qwen_tts"


def test_a_whole_model_stands_for_its_tokenizer(tmp_path: Path) -> None:
    folder = write_light_model(tmp_path / "model")

    assert check_tokenizer(folder, "mine") == folder / "speech_tokenizer"


def test_synthesize_refuses_an_unknown_speaker_before_a_job_exists(tmp_path: Path) -> None:
    assert refusal(model=str(voice(tmp_path / "voice")), speaker="bob") == "speaker_unknown"


def test_synthesize_refuses_an_unknown_language_before_a_job_exists(tmp_path: Path) -> None:
    assert refusal(model=str(voice(tmp_path / "voice")), language="french") == "language_unknown"


def test_synthesize_asks_for_a_reference_before_a_job_exists(tmp_path: Path) -> None:
    base = write_light_model(tmp_path / "base", tts_model_type="base")

    assert refusal(model=str(base)) == "ref_audio_missing"


def test_synthesize_refuses_a_folder_without_weights_before_a_job_exists(tmp_path: Path) -> None:
    assert refusal(model=str(tmp_path)) == "model_without_weights"


def test_a_card_of_megabytes_is_not_read(tmp_path: Path) -> None:
    folder = write_light_model(tmp_path / "model")
    (folder / CARD).write_text(json.dumps({"languages": ["english"], "padding": "x" * 1_000_000}))

    with pytest.raises(UserError) as refused:
        read_card(folder)

    assert refused.value.code == "file_too_large"
    assert CARD_BYTES < 1_000_000
