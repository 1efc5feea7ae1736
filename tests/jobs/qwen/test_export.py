"""Exports: native to upstream qwen_tts, complete or absent, and trainable again."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from jobs.errors import UserError
from jobs.files.own_files import walk_files
from jobs.model_folders.safetensors_header import ITEM_BYTES, read_places
from jobs.qwen.export import SAFE_TRANSFORMERS, free_speaker_row, voice_config, write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.model_files import EXPORTED_FILES
from jobs.qwen.safetensors_io import COPIED_BYTES, stored_tensors, write_tensors
from jobs.qwen.speaker_embedding import load_speaker_encoder, speaker_embedding
from jobs.qwen.toy.config import Shape, model_config
from jobs.qwen.train.lora import add_adapters
from jobs.qwen.upstream import qwen_tts

Toy = Callable[[Shape], Path]


def current_umask() -> int:
    found = os.umask(0o022)
    os.umask(found)
    return found


@pytest.fixture
def config() -> dict[str, Any]:
    """A base's config.json with 1,280 rows in the talker's table, 256 of them codes."""
    ids = dict.fromkeys(["<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"], 0)
    return model_config(
        shape="0.6b", text_ids=ids, text_vocab_size=10, codebook_size=256, hidden=64, layers=1, predictor_hidden=None
    )


def test_the_speaker_gets_the_highest_row_that_nobody_uses(config: dict[str, Any]) -> None:
    talker = config["talker_config"]
    talker["spk_id"] = {"vivian": 1279, "ryan": 1278}
    talker["codec_language_id"]["welsh"] = 1277
    talker["codec_pad_id"] = 1276

    assert free_speaker_row(config) == 1275


def test_a_model_without_a_free_row_is_refused(config: dict[str, Any]) -> None:
    config["talker_config"]["spk_id"] = {f"speaker{row}": row for row in range(256, 1280)}

    with pytest.raises(UserError) as refused:
        free_speaker_row(config)

    assert refused.value.code == "no_free_speaker_slot"


def test_a_speaker_that_is_there_keeps_its_row_and_the_others_stay(config: dict[str, Any]) -> None:
    once = voice_config(config, "slt")
    twice = voice_config(voice_config(once, "slt"), "awb")

    assert once["talker_config"]["spk_id"] == {"slt": 1279}
    assert twice["talker_config"]["spk_id"] == {"slt": 1279, "awb": 1278}
    assert twice["talker_config"]["spk_is_dialect"] == {"slt": False, "awb": False}
    assert config["talker_config"]["spk_id"] == {}


def test_an_export_has_the_native_keys_and_dtypes_and_the_bases_config(
    wandering_toy: Toy, load_toy: Callable[[Shape], Any], tmp_path: Path
) -> None:
    folder = shutil.copytree(wandering_toy("1.7b"), tmp_path / "base")
    (folder / "model.safetensors").unlink()
    half = {name: tensor.bfloat16() for name, tensor in load_file(wandering_toy("1.7b") / "model.safetensors").items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    embedding = torch.linspace(-1, 1, 64)

    voice = write_voice(load_toy("1.7b").model, folder, tmp_path / "voice", voices={"slt": embedding}, card={"a": 1})

    weights = load_file(voice / "model.safetensors")
    config = json.loads((voice / "config.json").read_text())
    base_config = json.loads((folder / "config.json").read_text())
    row = config["talker_config"]["spk_id"].pop("slt")
    assert set(weights) == {name for name in half if not name.startswith("speaker_encoder.")}
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    assert torch.equal(weights["talker.model.codec_embedding.weight"][row], embedding.bfloat16())
    assert json.loads((voice / "tts_train.json").read_text()) == {"a": 1}
    config["talker_config"]["spk_is_dialect"] = {}
    assert config == {**base_config, "tts_model_type": "custom_voice", "transformers_version": SAFE_TRANSFORMERS}
    assert {path.name for path in tmp_path.iterdir()} == {"base", "voice"}


def test_an_export_speaks_with_stock_and_shares_the_codecs_file(
    wandering_toy: Toy, load_toy: Callable[[Shape], Any], tmp_path: Path
) -> None:
    base = wandering_toy("0.6b")
    voice = write_voice(load_toy("0.6b").model, base, tmp_path / "voice", voices={"slt": torch.zeros(64)}, card={})

    upstream = qwen_tts().Qwen3TTSModel.from_pretrained(str(voice), dtype=torch.float32)
    wavs, rate = upstream.generate_custom_voice("hello", speaker="slt", language="english", max_new_tokens=4)

    assert {path.stat().st_mode & 0o777 for path in voice.rglob("*") if path.is_file()} == {0o644}
    assert rate == 24000
    assert len(wavs[0]) % 1920 == 0
    assert (voice / "speech_tokenizer" / "model.safetensors").samefile(base / "speech_tokenizer" / "model.safetensors")


def test_an_older_export_is_replaced_and_what_a_person_put_beside_it_stays(
    wandering_toy: Toy, load_toy: Callable[[Shape], Any], tmp_path: Path
) -> None:
    voice = tmp_path / "voice"
    voice.mkdir()
    copies = [f"monday/{name}" for name in ("model.safetensors", "config.json", "speech_tokenizer/config.json")]
    for name in ("notes.txt", "mine.safetensors", "speech_tokenizer/notes.txt", *copies):
        (voice / name).parent.mkdir(parents=True, exist_ok=True)
        (voice / name).write_text("mine")
    (voice / "model-00001-of-00002.safetensors").write_text("old")
    (tmp_path / ".voice.0123456789abcdef.tts-train-new").mkdir()  # of a run that was killed while it wrote

    write_voice(load_toy("0.6b").model, wandering_toy("0.6b"), voice, voices={"slt": torch.zeros(64)}, card={})

    assert not (voice / "model-00001-of-00002.safetensors").exists()
    files = {path.relative_to(voice).as_posix(): path for path in walk_files(voice)}
    mine = {name for name, path in files.items() if path.read_bytes() == b"mine"}
    assert mine == {"notes.txt", "mine.safetensors", "speech_tokenizer/notes.txt", *copies}
    assert {name for name in files if not EXPORTED_FILES.fullmatch(name)} == mine
    assert [path.name for path in tmp_path.iterdir()] == ["voice"]


def test_an_export_keeps_the_speaker_encoder_and_its_slot_is_the_embedding(
    wandering_toy: Toy, load_toy: Callable[[Shape], Any], tmp_path: Path
) -> None:
    base = wandering_toy("0.6b")
    embedding = torch.randn(64)
    first = write_voice(load_toy("0.6b").model, base, tmp_path / "a", voices={"slt": embedding}, card={})
    loaded = load_base(first, "cpu", torch.float32)
    again = write_voice(loaded.model, first, tmp_path / "b", voices={"awb": torch.zeros(64)}, card={})

    config = load_base(again, "cpu", torch.float32).model.config
    of_base = load_speaker_encoder(base)
    of_again = load_speaker_encoder(again)

    assert torch.equal(speaker_embedding(again, config, "slt", []), embedding)
    assert of_base is not None
    assert of_again is not None
    assert all(torch.equal(a, b) for a, b in zip(of_base.parameters(), of_again.parameters(), strict=True))


def test_a_base_in_several_files_becomes_a_voice_in_one(
    wandering_toy: Toy, load_toy: Callable[[Shape], Any], tmp_path: Path
) -> None:
    folder = shutil.copytree(wandering_toy("0.6b"), tmp_path / "base")
    (folder / "model.safetensors").unlink()
    whole = load_file(wandering_toy("0.6b") / "model.safetensors")
    names = sorted(whole)
    places = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(names)}
    for file in set(places.values()):
        save_file({name: whole[name] for name in names if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))

    voice = write_voice(load_toy("0.6b").model, folder, tmp_path / "voice", voices={"slt": torch.zeros(64)}, card={})

    assert [path.name for path in voice.glob("model*")] == ["model.safetensors"]
    assert set(load_file(voice / "model.safetensors")) == {n for n in names if not n.startswith("speaker_encoder.")}
    assert load_base(folder, "cpu", torch.float32).model.talker.codec_head.weight.shape == (1280, 64)


def test_an_export_holds_one_tensor_at_a_time(
    wandering_toy: Toy, load_toy: Callable[[Shape], Any], tmp_path: Path
) -> None:
    base = load_toy("1.7b")
    add_adapters(base.model, r=4, alpha=8, dropout=0.0, targets="all")
    largest = max(parameter.nbytes for parameter in base.model.talker.parameters())
    whole = sum(parameter.nbytes for parameter in base.model.talker.parameters())
    folder = wandering_toy("1.7b")

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        tracemalloc.start()
        write_voice(base.model, folder, tmp_path / "voice", voices={"slt": torch.ones(64)}, card={})
        python_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    now = torch_peak = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        torch_peak = max(torch_peak, now)

    assert torch_peak <= 3 * largest
    assert python_peak <= COPIED_BYTES + largest + 1_000_000  # a tensor as it is read, or a part that is copied
    assert torch_peak + largest < 0.8 * whole


def test_tensors_of_several_number_formats_start_at_multiples_of_their_size(tmp_path: Path) -> None:
    mixed = {
        "a": torch.ones(3, dtype=torch.bfloat16), "b": torch.arange(5, dtype=torch.float32), "c": torch.zeros(()),
        "d": torch.ones(2, 0), "e": torch.tensor([True]), "f": torch.full((2, 2), 7.0, dtype=torch.float64),
    }  # fmt: skip
    save_file(mixed, tmp_path / "base.safetensors")
    stored = stored_tensors([tmp_path / "base.safetensors"])

    write_tensors(tmp_path / "out.safetensors", stored, {"b": lambda original: original * 2})

    found = load_file(tmp_path / "out.safetensors")
    assert found.keys() == mixed.keys()
    assert torch.equal(found.pop("b"), 2 * mixed.pop("b"))
    assert all(torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in mixed.items())
    places = read_places(tmp_path / "out.safetensors")
    assert all(start % ITEM_BYTES[info.dtype] == 0 for info, start in places.values())
    assert (tmp_path / "out.safetensors").stat().st_mode & 0o777 == 0o666 & ~current_umask()
