"""Export of a voice as a directory that upstream ``qwen_tts`` loads, and that can be trained again here.

``config.json`` is the base's with a few keys changed, because upstream's ``save_pretrained`` fails (qwen-tts 0.1.1).
Weights are merged in float32 and cast once to the base's dtypes.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from jobs.errors import UserError
from jobs.files.atomic_io import replacing_folder, write_json
from jobs.files.copying import copy_file, link_file
from jobs.files.folders import make_folder
from jobs.model_folders.contents import ModelFolder
from jobs.model_folders.safetensors_header import INDEX, WEIGHTS, find_weights
from jobs.qwen.model_files import (
    CARD,
    CODEC,
    COPIED_FILES,
    ENCODER_FILE,
    EXPORTED_FILES,
    TOKENIZER_FILES,
    read_model_config,
)
from jobs.qwen.safetensors_io import StoredTensor, stored_tensors, weight_files, write_tensors
from jobs.qwen.speaker_embedding import ENCODER_PREFIX, encoder_config, encoder_files
from jobs.qwen.train.lora import changed_weights

SAFE_TRANSFORMERS = "4.57.2"
"""Newest ``transformers_version`` of a config with which stock keeps the text tokenizer of a folder as it is; see
``jobs.qwen.loading.load_processor``."""
_TALKER_TABLE = "talker.model.codec_embedding.weight"


def write_voice(
    model: Any,
    base: Path,
    out: Path,
    *,
    voices: Mapping[str, torch.Tensor],
    card: dict[str, Any],
    encoder_folder: Path | None = None,
    trained: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> Path:
    """Write a voice to ``out`` atomically, replacing an older one.

    Args:
        model: the trained upstream model, with adapters not yet merged or without any.
        voices: speaker embedding (hidden,) of the training run, by name in lower case.
        encoder_folder: model whose speaker encoder is kept beside the voice, for a base without one of its own.
        trained: trained weights by name, of a model that has only parts of them.
    """
    config = _config_with_encoder(base, encoder_folder)
    for speaker in voices:
        config = voice_config(config, speaker)
    rows = {config["talker_config"]["spk_id"][speaker]: embedding for speaker, embedding in voices.items()}
    with replacing_folder(out, EXPORTED_FILES) as folder:
        _write_weights(changed_weights(model, trained), base, folder / WEIGHTS, rows)
        _write_encoder(encoder_folder or base, folder / ENCODER_FILE)
        _write_others(base, folder, config, card)
    return out


def write_base(
    model: Any,
    base: Path,
    out: Path,
    *,
    card: dict[str, Any],
    encoder_folder: Path | None = None,
    trained: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> Path:
    """Write a trained model as a base, which clones voices from reference clips and can be trained further.

    Args:
        model: the trained upstream model, with adapters not yet merged or without any.
        base: directory that training started from; its speaker encoder, which is not trained, is copied.
        encoder_folder: model whose speaker encoder is copied instead.
        trained: trained weights by name, of a model that has only parts of them.

    Raises:
        UserError: ``speaker_encoder_missing``.
    """
    encoder = _encoder_tensors(encoder_folder or base)
    if not encoder:
        raise UserError(
            "speaker_encoder_missing",
            f"{base} has no speaker encoder, which a base needs.",
            "Train from a base model or a voice that start_training exported, or leave export_base out.",
        )
    config = _config_with_encoder(base, encoder_folder)
    config["tts_model_type"] = "base"
    config["transformers_version"] = SAFE_TRANSFORMERS
    with replacing_folder(out, EXPORTED_FILES) as folder:
        _write_weights(changed_weights(model, trained), base, folder / WEIGHTS, {}, encoder)
        _write_others(base, folder, config, card)
    return out


def _config_with_encoder(base: Path, encoder_folder: Path | None) -> dict[str, Any]:
    config = read_model_config(base)
    if encoder_folder is not None:
        config["speaker_encoder_config"] = encoder_config(encoder_folder)
    return config


def _write_others(base: Path, folder: Path, config: dict[str, Any], card: dict[str, Any]) -> None:
    """Add everything except weights."""
    write_json(folder / "config.json", config)
    write_json(folder / CARD, card)
    model = ModelFolder.at(base)
    for name, path in model.find_all(COPIED_FILES).items():
        copy_file(path, folder / name, sync=False)
    _link_codec(model.inner(CODEC), folder / CODEC)


def voice_config(base_config: dict[str, Any], speaker: str) -> dict[str, Any]:
    """Build the config of a custom voice: the base's, with ``speaker`` in its present slot or in a free row."""
    config: dict[str, Any] = json.loads(json.dumps(base_config))
    talker = config["talker_config"]
    slots = dict(talker.get("spk_id") or {})
    if speaker not in slots:
        slots[speaker] = free_speaker_row(base_config)
    talker["spk_id"] = slots
    talker["spk_is_dialect"] = {**(talker.get("spk_is_dialect") or {}), speaker: False}
    config["tts_model_type"] = "custom_voice"
    config["transformers_version"] = SAFE_TRANSFORMERS
    return config


def free_speaker_row(config: dict[str, Any]) -> int:
    """Find the highest row of the talker's embedding that no code, control id, language or speaker uses.

    Raises:
        UserError: ``no_free_speaker_slot``.
    """
    talker = config["talker_config"]
    used = {value for key, value in talker.items() if key.endswith(("_id", "_ids")) and isinstance(value, int)}
    used |= set((talker.get("codec_language_id") or {}).values()) | set((talker.get("spk_id") or {}).values())
    codebook_size = talker["code_predictor_config"]["vocab_size"]
    for row in range(talker["vocab_size"] - 1, codebook_size - 1, -1):
        if row not in used:
            return row
    raise UserError(
        "no_free_speaker_slot",
        f"All {talker['vocab_size'] - codebook_size} rows above the codebook are taken.",
        "Train from a base model with fewer speakers, or give the name of a speaker to replace.",
    )


def _write_weights(
    changed: dict[str, Callable[[torch.Tensor], torch.Tensor]],
    base: Path,
    path: Path,
    rows: Mapping[int, torch.Tensor],
    encoder: Mapping[str, StoredTensor] = MappingProxyType({}),
) -> None:
    """Write the talker's weights, with speaker embeddings in rows of its table, one tensor at a time.

    Args:
        encoder: tensors of a speaker encoder, which the class of custom voices cannot hold.
    """
    stored = stored_tensors(weight_files(base))
    tensors = {name: tensor for name, tensor in stored.items() if not name.startswith(ENCODER_PREFIX)}
    tensors |= encoder
    if missing := changed.keys() - tensors.keys():
        raise KeyError(f"not in the base: {', '.join(sorted(missing))}")
    if rows:
        changed[_TALKER_TABLE] = partial(_with_rows, changed.get(_TALKER_TABLE), rows)
    write_tensors(path, tensors, changed)


def _with_rows(
    change: Callable[[torch.Tensor], torch.Tensor] | None, rows: Mapping[int, torch.Tensor], original: torch.Tensor
) -> torch.Tensor:
    table = (change(original) if change is not None else original).float().clone()
    for row, embedding in rows.items():
        table[row] = embedding.float().cpu()
    return table


def _write_encoder(base: Path, path: Path) -> None:
    """Copy the speaker encoder next to the voice, so that it can be trained again with other reference audio."""
    encoder = _encoder_tensors(base)
    if encoder:
        write_tensors(path, encoder, {})


def _encoder_tensors(base: Path) -> dict[str, StoredTensor]:
    found = stored_tensors(encoder_files(base))
    return {name: tensor for name, tensor in found.items() if name.startswith(ENCODER_PREFIX)}


def _link_codec(source: ModelFolder, target: Path) -> None:
    """Hard-link the codec's files (0.7 GB, which never change); copy where links are impossible."""
    make_folder(target)
    files = {**source.find_all((*TOKENIZER_FILES, INDEX)), **find_weights(source)}
    for name, path in files.items():
        link_file(path, target / name)
