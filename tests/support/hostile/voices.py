"""Voice folders: a small whole one for checks that load nothing, and hostile changes of any voice folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.qwen.model_files import MODEL_FILES
from jobs.qwen.toy.config import CODEC_PREPROCESSOR, GENERATION, codec_config, model_config
from jobs.qwen.toy.tokenizer import SPECIAL_TOKENS
from tests.support.hostile.safetensors_files import write_parts, write_weights

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def write_light_model(folder: Path, **changes: Any) -> Path:
    """Write a base that passes every check that loads nothing: real configs, one small tensor a file.

    ``changes`` are entries of ``config.json``; those of ``talker_config`` are merged into the toy's.
    """
    for name in MODEL_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    config = model_config(
        shape="0.6b",
        text_ids=dict.fromkeys(SPECIAL_TOKENS, 0),
        text_vocab_size=10,
        codebook_size=2048,
        hidden=64,
        layers=1,
        predictor_hidden=None,
    )
    talker = {**config["talker_config"], **changes.pop("talker_config", {})}
    edit_json(folder / "config.json", **{**config, **changes, "talker_config": talker})
    edit_json(folder / "generation_config.json", **GENERATION)
    edit_json(folder / "speech_tokenizer/config.json", **codec_config(256))
    edit_json(folder / "speech_tokenizer/preprocessor_config.json", **CODEC_PREPROCESSOR)
    write_weights(folder / WEIGHTS, {"a": ("F32", [1])})
    write_weights(folder / "speech_tokenizer" / WEIGHTS, {"a": ("F32", [1])})
    return folder


def edit_json(path: Path, **entries: Any) -> None:
    """Replace entries of a JSON file; ``talker_config`` and other inner configurations are merged."""
    content = json.loads(path.read_text()) if path.is_file() else {}
    for name, value in entries.items():
        is_inner = isinstance(value, dict) and isinstance(content.get(name), dict)
        content[name] = {**content[name], **value} if is_inner else value
    path.write_text(json.dumps(content))


def link_out(folder: Path, name: str) -> None:
    """Move a file out of the folder and put a link to it in its place."""
    outside = folder.parent / "outside"
    outside.mkdir(exist_ok=True)
    moved = outside / Path(name).name
    shutil.move(folder / name, moved)
    (folder / name).symlink_to(moved)


def make_pipe(folder: Path, name: str) -> None:
    """Put a pipe in a file's place."""
    (folder / name).unlink()
    os.mkfifo(folder / name)


def write_index(folder: Path, name: Any) -> None:
    """Write an index of weights that names one file."""
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))


def _talker(**entries: Any) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / "config.json", talker_config=entries)


def _config(**entries: Any) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / "config.json", **entries)


def _codec(**entries: Any) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / "speech_tokenizer/config.json", **entries)


def _text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def _large(name: str) -> Callable[[Path], object]:
    return lambda folder: os.truncate(folder / name, 3_000_000_000)


DEEP = '{"a":' * 200_000
# What is wrong -> (change of a voice's folder, code of the refusal).
HOSTILE_VOICES: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights that are a link out": (lambda f: link_out(f, WEIGHTS), "path_outside_model"),
    "a config that is a link out": (lambda f: link_out(f, "config.json"), "path_outside_model"),
    "a vocabulary that is a link out": (lambda f: link_out(f, "vocab.json"), "path_outside_model"),
    "a codec that is a link out": (lambda f: link_out(f, "speech_tokenizer"), "path_outside_model"),
    "codec weights that are a link out": (lambda f: link_out(f, f"speech_tokenizer/{WEIGHTS}"), "path_outside_model"),
    "an index that names ../": (lambda f: write_index(f, "../outside.safetensors"), "path_outside_model"),
    "an index that names an absolute file": (lambda f: write_index(f, "/etc/passwd"), "path_outside_model"),
    "an index that names a pickle": (lambda f: write_index(f, "pytorch_model.bin"), "path_outside_model"),
    "an index that names a number": (lambda f: write_index(f, 1), "model_broken"),
    "an index that names a list": (lambda f: write_index(f, ["a"]), "model_broken"),
    "an index without a map": (_text(INDEX, "{}"), "model_broken"),
    "an index nested deeply": (_text(INDEX, DEEP), "model_broken"),
    "an index without files": (_text(INDEX, '{"weight_map": {}}'), "model_broken"),
    "weights that are a pipe": (lambda f: make_pipe(f, WEIGHTS), "file_not_regular"),
    "a config that is a pipe": (lambda f: make_pipe(f, "config.json"), "file_not_regular"),
    "merges that are a pipe": (lambda f: make_pipe(f, "merges.txt"), "file_not_regular"),
    "weights without tensors": (lambda f: write_weights(f / WEIGHTS, {}), "model_broken"),
    "codec weights without tensors": (lambda f: write_weights(f / "speech_tokenizer" / WEIGHTS, {}), "model_broken"),
    "weights with a header of 8 EB": (lambda f: write_parts(f / WEIGHTS, b"{}", length=2**63), "model_broken"),
    "empty weights": (_text(WEIGHTS, ""), "model_broken"),
    "a config of 3 GB": (_large("config.json"), "file_too_large"),
    "a vocabulary of 3 GB": (_large("vocab.json"), "file_too_large"),
    "a tokenizer config of 3 GB": (_large("tokenizer_config.json"), "file_too_large"),
    "a config nested deeply": (_text("config.json", DEEP), "model_not_qwen_tts"),
    "a config that is a list": (_text("config.json", "[]"), "model_not_qwen_tts"),
    "a config with NaN": (_text("config.json", '{"a": NaN}'), "model_not_qwen_tts"),
    "a config with 1e999": (_text("config.json", '{"a": 1e999}'), "model_not_qwen_tts"),
    "a config with 5,000 digits": (_text("config.json", '{"a": ' + "1" * 5000 + "}"), "model_not_qwen_tts"),
    "a hidden size of 10**9": (_talker(hidden_size=10**9), "model_broken"),
    "10**6 layers": (_talker(num_hidden_layers=10**6), "model_broken"),
    "a vocabulary of 2**40": (_talker(vocab_size=2**40), "model_broken"),
    "a size that is a word": (_talker(hidden_size="large"), "model_broken"),
    "a size that is a list": (_talker(intermediate_size=[1]), "model_broken"),
    "a size below zero": (_talker(num_attention_heads=-1), "model_broken"),
    "a rope of 0": (_talker(rope_theta=0), "model_broken"),
    "a rope that is a word": (_talker(rope_theta="x"), "model_broken"),
    "a rope of another kind": (_talker(rope_scaling={"rope_type": "dynamic", "factor": 1e9}), "model_broken"),
    "a rope of other sections": (_talker(rope_scaling={"mrope_section": [10**6, 2, 2]}), "model_broken"),
    "heads of odd width": (_talker(head_dim=15), "model_broken"),
    "a talker that is a word": (_config(talker_config="x"), "model_broken"),
    "no talker": (_config(talker_config=None), "model_broken"),
    "10**6 predictor layers": (_talker(code_predictor_config={"num_hidden_layers": 10**6}), "model_broken"),
    "a speaker outside the table": (_talker(spk_id={"ann": 10**5}), "model_broken"),
    "speakers that are a list": (_talker(spk_id=["ann"]), "model_broken"),
    "a language outside the table": (_talker(codec_language_id={"english": 10**5}), "model_broken"),
    "a dialect that is no language": (_talker(spk_is_dialect={"ann": "x"}), "model_broken"),
    "a control id outside the table": (_talker(codec_pad_id=10**5), "model_broken"),
    "a text token outside the table": (_config(tts_bos_token_id=10**5), "model_broken"),
    "a speaker encoder of 10**12 channels": (_config(speaker_encoder_config={"enc_dim": 10**12}), "model_broken"),
    "10**6 codec layers": (_codec(decoder_config={"num_hidden_layers": 10**6}), "model_broken"),
    "a codec of another rate": (_codec(output_sample_rate=1), "model_broken"),
    "10**9 quantizers": (_codec(encoder_config={"num_quantizers": 10**9}), "model_broken"),
    "a codec of another kind": (_codec(model_type="llama"), "model_not_qwen_tts"),
    "a codec that takes another class": (
        lambda f: edit_json(f / "speech_tokenizer/preprocessor_config.json", feature_extractor_type="Other"),
        "model_broken",
    ),
    "10**9 new tokens": (lambda f: edit_json(f / "generation_config.json", max_new_tokens=10**9), "model_broken"),
    "a temperature of 0": (lambda f: edit_json(f / "generation_config.json", temperature=0), "model_broken"),
    "sampling that is nested deeply": (_text("generation_config.json", DEEP), "model_broken"),
}


def make_hostile_voice(kind: str, voice: Path) -> Path:
    """Change a voice's folder as ``HOSTILE_VOICES`` says, and return it."""
    HOSTILE_VOICES[kind][0](voice)
    return voice
