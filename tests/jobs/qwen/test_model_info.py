"""Kind, speakers and languages of a model, read from its config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.qwen.model_info import VoiceModel, check_request, describe_model
from tests.support.hostile.voices import write_light_model

DUO = VoiceModel(Path("duo"), "custom_voice", ("ann", "bob"), ("auto", "english", "german"))


def test_speakers_and_languages_come_from_the_config(tmp_path: Path) -> None:
    talker = {"spk_id": {"bob": 3001, "ann": 3000}, "codec_language_id": {"english": 1, "beijing_dialect": 2}}

    model = describe_model(write_light_model(tmp_path, tts_model_type="custom_voice", talker_config=talker))

    assert (model.kind, model.speakers, model.languages) == ("custom_voice", ("ann", "bob"), ("auto", "english"))


def test_a_model_of_an_unknown_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="voice_conversion") as caught:
        describe_model(write_light_model(tmp_path, tts_model_type="voice_conversion"))

    assert caught.value.code == "model_cannot_speak"


def test_a_voice_speaks_the_language_that_it_was_trained_on(tmp_path: Path) -> None:
    talker = {"spk_id": {"ann": 3000}, "codec_language_id": {"english": 1, "german": 2}}
    write_light_model(tmp_path, tts_model_type="custom_voice", talker_config=talker)
    assert describe_model(tmp_path).language(None) == "auto"

    (tmp_path / "tts_train.json").write_text(json.dumps({"languages": ["german"]}))

    assert describe_model(tmp_path).language(None) == "german"
    assert describe_model(tmp_path).language("auto") == "auto"


def test_each_speaker_speaks_the_language_that_it_was_trained_on(tmp_path: Path) -> None:
    talker = {"spk_id": {"ann": 3000, "bob": 3001, "ryan": 3002}, "codec_language_id": {"english": 1, "german": 2}}
    write_light_model(tmp_path, tts_model_type="custom_voice", talker_config=talker)
    languages = {"ann": "german", "bob": "english", "ryan": "klingon", "x": 5}
    (tmp_path / "tts_train.json").write_text(json.dumps({"languages": ["english"], "speaker_languages": languages}))

    model = describe_model(tmp_path)

    assert [model.language(None, name) for name in ("ann", "Bob", "ryan")] == ["german", "english", "auto"]
    assert model.language("english", "ann") == "english"


def test_the_one_language_of_an_older_card_is_that_of_its_own_speakers(tmp_path: Path) -> None:
    talker = {"spk_id": {"ann": 3000, "ryan": 3001}, "codec_language_id": {"english": 1, "german": 2}}
    write_light_model(tmp_path, tts_model_type="custom_voice", talker_config=talker)
    (tmp_path / "tts_train.json").write_text(json.dumps({"languages": ["german"], "speakers": ["ann"]}))

    model = describe_model(tmp_path)

    assert (model.language(None, "ann"), model.language(None, "ryan")) == ("german", "auto")


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="'russian'; it knows: auto, english, german") as caught:
        DUO.language("russian")

    assert caught.value.code == "language_unknown"


def test_of_several_speakers_one_must_be_named() -> None:
    with pytest.raises(UserError, match="2 speakers: ann, bob") as caught:
        DUO.speaker(None)

    assert caught.value.code == "speaker_missing"


def test_a_speaker_is_found_whatever_its_case_and_the_only_one_by_default() -> None:
    solo = VoiceModel(Path("solo"), "custom_voice", ("ann",), ("auto",))

    assert DUO.speaker("Bob") == "bob"
    assert solo.speaker(None) == "ann"


@pytest.mark.parametrize("model", ["toy", "Qwen/Qwen3-TTS-12Hz-0.6B-Base"])
def test_a_base_that_is_not_on_this_disk_needs_a_reference_too(model: str) -> None:
    def check(*, has_reference: bool) -> None:
        check_request(model, speaker=None, language=None, instruct=None, has_reference=has_reference)

    check(has_reference=True)
    with pytest.raises(UserError, match="no voice of its own") as caught:
        check(has_reference=False)
    assert caught.value.code == "ref_audio_missing"
