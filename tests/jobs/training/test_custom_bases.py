"""Training from CustomVoice and VoiceDesign: the speaker encoder is another model's, all else stays the base's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.errors import UserError
from jobs.files.json_documents import read_object
from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.speaker_embedding import load_speaker_encoder, speaker_embedding
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.qwen.upstream import qwen_tts
from jobs.runner.worker.context import JobContext
from jobs.training import work
from jobs.training.params import Params

from .conftest import CODEBOOK_SIZE

MakeParams = Callable[..., Params]
MakeContext = Callable[[], JobContext]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Base in the shape of a 1.7B."""
    return make_toy_base(tmp_path_factory.mktemp("large") / "base", shape="1.7b", codebook_size=CODEBOOK_SIZE)


@pytest.fixture(scope="module", params=["custom_voice", "voice_design"])
def released(large: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as released: two preset speakers or none, and no speaker encoder."""
    is_custom = request.param == "custom_voice"
    presets = {name: torch.full((64,), value) for name, value in (("ryan", 0.1), ("vivian", -0.1))}
    out = tmp_path_factory.mktemp(request.param) / "model"
    model = load_base(large, "cpu", torch.float32).model
    write_voice(model, large, out, voices=presets if is_custom else {}, card={})
    (out / "speaker_encoder.safetensors").unlink()
    config = read_object(out / "config.json", 10**6)
    del config["speaker_encoder_config"]
    (out / "config.json").write_text(json.dumps(config | {"tts_model_type": request.param}))
    return out


def test_a_voice_of_it_speaks_in_stock_with_its_speaker_the_presets_and_an_instruct(
    released: Path, large: Path, make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    result = work.run(
        make_params(base_model=str(released), encoder_from=str(large), max_steps=2, samples=1), make_context()
    )

    n_presets = 2 if "custom_voice" in str(released) else 0
    card = read_object(Path(result.voice) / "tts_train.json", 10**6)
    embedding = speaker_embedding(large, load_base(large, "cpu", torch.float32).model.config, "slt",
                                  [tmp_path / "reference.wav"])  # fmt: skip
    stock = qwen_tts().Qwen3TTSModel.from_pretrained(result.voice, dtype=torch.float32)
    row = stock.model.config.talker_config.spk_id["slt"]
    options = {"do_sample": False, "subtalker_dosample": False, "max_new_tokens": 6}
    wavs = [
        stock.generate_custom_voice("hello", speaker, "english", instruct=how, **options)[0][0]
        for speaker in stock.get_supported_speakers() for how in ("", "slowly")
    ]  # fmt: skip
    assert stock.get_supported_speakers() == (["ryan", "slt", "vivian"] if n_presets else ["slt"])
    assert torch.equal(stock.model.talker.get_input_embeddings().weight[row], embedding)
    assert all(len(wav) > 0 for wav in wavs)
    assert result.keeps == card["keeps"] == {
        "preset_speakers": str(n_presets),
        "speaker_encoder": f"of {large}",
        "instruct": "as the base follows it; no clip of this run has one",
    }  # fmt: skip
    assert load_speaker_encoder(Path(result.voice)) is not None
    assert len(card["run"]["encoder_sha256"]) == 64


def test_a_voice_of_it_is_trained_again_without_being_told_the_encoder(
    released: Path, large: Path, make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    first = work.run(make_params(base_model=str(released), encoder_from=str(large), max_steps=1), make_context())

    again = work.run(
        make_params(base_model=first.voice, max_steps=1, speaker="other", out_dir=str(tmp_path / "again")),
        make_context(),
    )

    assert again.keeps["speaker_encoder"] == "the base's own"
    assert again.speakers == ["other"]


def test_an_encoder_of_another_width_or_none_is_refused_before_the_base_is_loaded(
    released: Path, make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    wide = make_toy_base(tmp_path / "wide", shape="1.7b", codebook_size=CODEBOOK_SIZE, hidden=128)
    codes = []
    for encoder in (str(wide), str(released), None):
        context: Any = make_context()
        with pytest.raises(UserError) as refused:
            work.run(make_params(base_model=str(released), encoder_from=encoder), context)
        codes.append(refused.value.code)
        assert "loading the base model" not in context.messages

    assert codes == ["speaker_encoder_mismatch", "speaker_encoder_missing", "speaker_encoder_missing"]
