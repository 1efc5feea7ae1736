"""Voice folders of strangers: refused before anything is loaded, or loaded without what does not belong to them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from jobs.errors import UserError
from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base, load_tokenizer
from jobs.qwen.model_files import ENCODER_FILE, check_model, check_tokenizer
from jobs.qwen.model_info import describe_model
from jobs.qwen.speaker_embedding import load_speaker_encoder
from jobs.qwen.toy.config import Shape
from tests.support.hostile.safetensors_files import write_weights
from tests.support.hostile.voices import HOSTILE_VOICES, edit_json, link_out, make_hostile_voice, write_light_model


@pytest.fixture
def voice(wandering_toy: Callable[[Shape], Path], tmp_path: Path) -> Path:
    """A copy of a toy base, to be changed."""
    return Path(shutil.copytree(wandering_toy("0.6b"), tmp_path / "voice"))


def test_a_light_model_is_whole(tmp_path: Path) -> None:
    folder = write_light_model(tmp_path / "base")

    check_model(folder, "mine")
    assert check_tokenizer(folder, "mine") == folder / "speech_tokenizer"
    assert describe_model(folder).kind == "base"


@pytest.mark.parametrize("kind", HOSTILE_VOICES)
def test_a_hostile_voice_is_refused_before_a_job_exists(kind: str, tmp_path: Path) -> None:
    folder = make_hostile_voice(kind, write_light_model(tmp_path / "base"))

    with pytest.raises(UserError) as caught:
        check_model(folder, "mine")

    assert caught.value.code == HOSTILE_VOICES[kind][1]


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE_VOICES if "codec" in kind])
def test_a_hostile_codec_is_refused_before_a_job_exists(kind: str, tmp_path: Path) -> None:
    folder = make_hostile_voice(kind, write_light_model(tmp_path / "base"))

    with pytest.raises(UserError) as caught:
        check_tokenizer(folder, "mine")

    assert caught.value.code == HOSTILE_VOICES[kind][1]


def _without_a_tensor(weights: dict[str, torch.Tensor]) -> None:
    del weights["talker.codec_head.weight"]


def _with_another_shape(weights: dict[str, torch.Tensor]) -> None:
    weights["talker.codec_head.weight"] = torch.zeros(3, 3)


def _with_whole_numbers(weights: dict[str, torch.Tensor]) -> None:
    weights["talker.codec_head.weight"] = weights["talker.codec_head.weight"].to(torch.int8)


@pytest.mark.parametrize("change", [_without_a_tensor, _with_another_shape, _with_whole_numbers, dict.clear])
def test_weights_that_do_not_fit_the_config_are_not_loaded(
    change: Callable[[dict[str, torch.Tensor]], None], voice: Path
) -> None:
    weights = load_file(voice / "model.safetensors")
    change(weights)
    save_file(weights, voice / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(UserError) as caught:
        load_base(voice, "cpu", torch.float32)

    assert caught.value.code == "model_broken"


def test_a_codec_without_a_codebook_is_not_loaded(voice: Path) -> None:
    weights = load_file(voice / "speech_tokenizer/model.safetensors")
    name = next(name for name in weights if name.endswith("embedding_sum"))
    del weights[name]
    save_file(weights, voice / "speech_tokenizer/model.safetensors")

    for load in (lambda: load_tokenizer(voice / "speech_tokenizer", "cpu"), lambda: _load_whole(voice)):
        with pytest.raises(UserError, match=name) as caught:
            load()
        assert caught.value.code == "model_broken"


def _load_whole(voice: Path) -> object:
    return load_base(voice, "cpu", torch.float32, with_codec=True)


@pytest.mark.parametrize(
    "entries",
    [
        {"hidden_size": 2**17, "intermediate_size": 2**17, "num_hidden_layers": 128},
        {"text_vocab_size": 2**21, "text_hidden_size": 2**17},
        {"hidden_act": "evil"},
        {"rope_scaling": {"rope_type": "evil"}},
        {"rope_scaling": "evil"},
        {"num_key_value_heads": 3},
    ],
)
def test_a_config_that_no_weights_have_allocates_nothing(entries: dict[str, object], voice: Path) -> None:
    edit_json(voice / "config.json", talker_config=entries)

    with pytest.raises(UserError) as caught:
        load_base(voice, "cpu", torch.float32)

    assert caught.value.code == "model_broken"


def test_an_adapter_code_templates_and_pickles_beside_the_model_are_not_read(voice: Path, tmp_path: Path) -> None:
    expected = load_base(voice, "cpu", torch.float32).model.state_dict()
    trace = tmp_path / "trace"
    (voice / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(tmp_path / "other"), "auto_mapping": {}})
    )
    (voice / "evil.py").write_text(f"open({str(trace)!r}, 'w')")
    auto_map = dict.fromkeys(("AutoConfig", "AutoModel", "AutoProcessor", "AutoTokenizer"), "evil.Evil")
    edit_json(voice / "config.json", auto_map=auto_map, quantization_config={"quant_method": "evil"})
    edit_json(voice / "tokenizer_config.json", auto_map=auto_map, processor_class="Evil", tokenizer_file="/etc/passwd")
    edit_json(voice / "tokenizer_config.json", vocab_file="/etc/passwd", chat_template="{{ evil }}")
    edit_json(voice / "processor_config.json", auto_map=auto_map, processor_class="Evil")
    (voice / "tokenizer.json").write_text("{}")  # its patterns may take any time
    (voice / "chat_template.jinja").write_text("{% for x in range(10**9) %}{% endfor %}")
    (voice / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch x'\ntR.")

    loaded = load_base(voice, "cpu", torch.float32)

    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.model.state_dict().items())
    assert "evil" not in str(loaded.processor.tokenizer.init_kwargs)
    assert loaded.processor.chat_template is None
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.json", "{}"),
        ("vocab.json", '{"a": -1}'),
        ("vocab.json", "[]"),
        ("merges.txt", "a b c\n" * 3),
        ("merges.txt", "a zebra\n"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"0": {"content": 1}}}'),
        ("tokenizer_config.json", '{"eos_token": {"__type": "Evil"}}'),
        ("vocab.json", "[" * 100_000),
    ],
)
def test_a_broken_text_tokenizer_is_named(name: str, content: str, voice: Path) -> None:
    (voice / name).write_text(content)

    with pytest.raises(UserError) as caught:
        load_base(voice, "cpu", torch.float32)

    assert caught.value.code == "model_broken"


def test_a_token_without_a_row_is_refused_before_it_is_spoken(voice: Path) -> None:
    edit_json(voice / "vocab.json", zebra=10**6)

    with pytest.raises(UserError, match="token 1000000") as caught:
        load_base(voice, "cpu", torch.float32)

    assert caught.value.code == "model_broken"


def test_a_speaker_encoder_that_does_not_fit_is_refused(voice: Path) -> None:
    write_weights(voice / ENCODER_FILE, {"speaker_encoder.fc.weight": ("F32", [3, 3])})

    with pytest.raises(UserError) as caught:
        load_speaker_encoder(voice)

    assert caught.value.code == "model_broken"


def test_an_export_takes_over_nothing_but_the_known_files(voice: Path, tmp_path: Path) -> None:
    model = load_base(voice, "cpu", torch.float32).model
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for name in ("notes.txt", "other.json", "speech_tokenizer/notes.txt", "speech_tokenizer/evil.py"):
        (voice / name).symlink_to(secret)
    (voice / "adapter_config.json").write_text("{}")

    made = write_voice(model, voice, tmp_path / "made", voices={"ann": torch.zeros(64)}, card={})

    files = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert files == {
        "config.json", "generation_config.json", "merges.txt", "model.safetensors", "speaker_encoder.safetensors",
        "tokenizer_config.json", "tts_train.json", "vocab.json",
        "speech_tokenizer/config.json", "speech_tokenizer/model.safetensors",
        "speech_tokenizer/preprocessor_config.json",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["vocab.json", "speech_tokenizer/config.json", "speech_tokenizer/model.safetensors"])
def test_an_export_does_not_take_over_what_a_link_leads_to(name: str, voice: Path, tmp_path: Path) -> None:
    model = load_base(voice, "cpu", torch.float32).model
    link_out(voice, name)

    with pytest.raises(UserError) as caught:
        write_voice(model, voice, tmp_path / "made", voices={"ann": torch.zeros(64)}, card={})

    assert caught.value.code == "path_outside_model"
    assert not (tmp_path / "made").exists()


def test_a_model_in_a_hub_cache_of_links_works(voice: Path, tmp_path: Path) -> None:
    repository = tmp_path / "models--org--name"
    snapshot = repository / "snapshots" / "0123"
    (repository / "blobs").mkdir(parents=True)
    for number, path in enumerate(path for path in sorted(voice.rglob("*")) if path.is_file()):
        place = snapshot / path.relative_to(voice)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, repository / "blobs" / str(number))
        place.symlink_to(os.path.relpath(repository / "blobs" / str(number), place.parent))

    check_model(snapshot, "org/name")
    loaded = load_base(snapshot, "cpu", torch.float32, with_codec=True)
    made = write_voice(loaded.model, snapshot, tmp_path / "made", voices={"ann": torch.zeros(64)}, card={})

    assert load_tokenizer(check_tokenizer(snapshot, "org/name"), "cpu").model.config.encoder_config.model_type == "mimi"
    assert not any(path.is_symlink() for path in made.rglob("*"))
    load_base(made, "cpu", torch.float32, with_codec=True)


def test_a_folder_that_is_itself_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(write_light_model(tmp_path / "base"))

    check_model(tmp_path / "link", "mine")


def test_a_card_that_is_hostile_is_no_card(tmp_path: Path) -> None:
    folder = write_light_model(tmp_path / "base")
    for card in ("[" * 100_000, "[]", '{"languages": "german"}', '{"languages": {"0": 1}}', "\udcff"):
        (folder / "tts_train.json").write_bytes(card.encode(errors="surrogateescape"))
        assert describe_model(folder).trained_language is None
