"""Required files of a model's directory, and its config. Imports no heavy library: tools check models with it."""

import re
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.json_documents import read_object
from jobs.model_folders.contents import ModelFolder
from jobs.model_folders.safetensors_header import read_weights, weight_names
from jobs.qwen.config_schema import check_codec_config, check_codec_input, check_model_config, sampling_defaults

CARD = "tts_train.json"  # in the directory of a voice trained here: how it was made
CARD_BYTES = 900_000  # the server reads it; a card of a run of 10,000 steps has 60 KB
ENCODER_FILE = "speaker_encoder.safetensors"  # next to an exported voice, whose class cannot hold it
MODEL_TYPE = "qwen3_tts"
TOKENIZER_TYPE = "qwen3_tts_tokenizer_12hz"
CODEC = "speech_tokenizer"
TEXT_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")
MODEL_FILES = (
    "config.json",
    "generation_config.json",
    *TEXT_FILES,
    "speech_tokenizer/config.json",
    "speech_tokenizer/preprocessor_config.json",
)
TOKENIZER_FILES = ("config.json", "preprocessor_config.json")
# Not tokenizer.json, whose patterns may take any time: the same ids come from vocabulary and merges.
OPTIONAL_TEXT_FILES = ("special_tokens_map.json", "added_tokens.json")
# Of a model, beside config, weights and codec, what an export takes over.
COPIED_FILES = ("generation_config.json", *TEXT_FILES, *OPTIONAL_TEXT_FILES, "preprocessor_config.json")
_WEIGHT_FILE = r"(?:model|adapter_model|speaker_encoder)(?:-\d{5}-of-\d{5})?\.safetensors(?:\.index\.json)?"
EXPORTED_FILES = re.compile(
    "|".join(
        [
            rf"(?:{CODEC}/)?{_WEIGHT_FILE}",
            *map(re.escape, (CARD, "adapter_config.json", *MODEL_FILES, *COPIED_FILES)),
        ]
    )
)
"""Paths of the files in the folder of a voice, base or adapter that is made here."""


def check_model(folder: Path, ref: str) -> None:
    """Check that a directory holds a whole Qwen3-TTS 12 Hz model, from its configs and the headers of its weights.

    Raises:
        UserError: ``model_without_weights`` (names the missing files), ``model_not_qwen_tts``, ``model_broken``,
            ``path_outside_model``, ``file_not_regular``, ``file_too_large``.
    """
    model = ModelFolder.at(folder)
    _check_files(model, ref, MODEL_FILES, ("", CODEC))
    config = read_config(model)
    if config.get("model_type") != MODEL_TYPE or config.get("tokenizer_type") != TOKENIZER_TYPE:
        raise UserError(
            "model_not_qwen_tts",
            f"{ref} is a {config.get('model_type')!r} model with tokenizer {config.get('tokenizer_type')!r}, "
            f"not {MODEL_TYPE!r} with {TOKENIZER_TYPE!r}.",
            "Give a Qwen3-TTS-12Hz model, a voice from start_training, or toy.",
        )
    check_model_config(config, model.path / "config.json")
    read_sampling(model)
    model.find_all((*TEXT_FILES, *OPTIONAL_TEXT_FILES))
    read_weights(model)
    _check_codec(model.inner(CODEC), ref)


def check_tokenizer(folder: Path, ref: str) -> Path:
    """Check a 12 Hz speech tokenizer's directory and return it. A model's directory stands for the tokenizer inside.

    Raises:
        UserError: as ``check_model``.
    """
    codec = ModelFolder.at(folder)
    if (folder / CODEC).is_dir():
        folder, codec = folder / CODEC, codec.inner(CODEC)
    _check_files(codec, ref, TOKENIZER_FILES, ("",))
    _check_codec(codec, ref)
    return folder


def _check_codec(codec: ModelFolder, ref: str) -> None:
    read_codec_config(codec, ref)
    check_codec_input(codec.read("preprocessor_config.json"), codec.path / "preprocessor_config.json")
    read_weights(codec)


def read_model_config(folder: Path) -> dict[str, Any]:
    """Read and check ``config.json`` of a model's directory (from ``resolve_model``).

    Raises:
        UserError: ``model_not_qwen_tts`` when it is not a JSON object, ``model_broken``, ``path_outside_model``.
    """
    model = ModelFolder.at(folder)
    config = read_config(model)
    check_model_config(config, model.path / "config.json")
    return config


def read_codec_config(codec: ModelFolder, ref: str) -> dict[str, Any]:
    """Read and check ``config.json`` of a 12 Hz speech tokenizer.

    Raises:
        UserError: as ``read_model_config``.
    """
    config = read_config(codec)
    found = config.get("model_type")
    if found != TOKENIZER_TYPE:
        raise UserError(
            "model_not_qwen_tts",
            f"{ref} is a {found!r} model, not the 12 Hz speech tokenizer {TOKENIZER_TYPE!r}.",
            "Give Qwen/Qwen3-TTS-Tokenizer-12Hz, a Qwen3-TTS-12Hz model's directory, or toy.",
        )
    check_codec_config(config, codec.path / "config.json")
    return config


def read_config(model: ModelFolder) -> dict[str, Any]:
    """Read ``config.json`` of any model.

    Raises:
        UserError: ``model_not_qwen_tts`` when it is not a JSON object, ``path_outside_model``, ``file_not_regular``.
    """
    try:
        return model.read("config.json")
    except UserError as error:
        if error.code != "model_broken":
            raise
        raise UserError("model_not_qwen_tts", error.message, error.hint) from error


def read_sampling(model: ModelFolder) -> dict[str, Any]:
    """Read the defaults of sampling, known entries only.

    Raises:
        UserError: ``model_broken``, and as ``ModelFolder.find``.
    """
    name = "generation_config.json"
    return sampling_defaults(model.read(name), model.path / name)


def read_card(folder: Path) -> dict[str, Any] | None:
    """Read the card of a voice that was trained here; None for another model, or a card that cannot be read.

    Raises:
        UserError: ``path_outside_model``, ``file_not_regular``, ``file_too_large``.
    """
    path = ModelFolder.at(folder).find(CARD)
    try:
        return None if path is None else read_object(path, CARD_BYTES)
    except (OSError, ValueError):
        return None


def is_of_toy(base_model: str) -> bool:
    """Return whether a base is the toy, or a voice that was trained from it, by its card and those of its bases."""
    if not Path(base_model).is_absolute():
        return base_model == "toy"
    try:
        card = read_card(Path(base_model))
    except UserError:  # it is refused where it is used
        return False
    while isinstance(card, dict) and card.get("base_model") != "toy":
        card = card.get("base_card")
    return isinstance(card, dict)


def missing_weights(model: ModelFolder) -> list[str]:
    """List the weight files that are missing from a model's directory.

    Raises:
        UserError: ``model_broken``, ``path_outside_model``, ``file_not_regular``.
    """
    return [name for name in weight_names(model) if model.find(name) is None]


def _check_files(model: ModelFolder, ref: str, files: tuple[str, ...], weight_folders: tuple[str, ...]) -> None:
    missing = [name for name in files if model.find(name) is None]
    for inner in weight_folders:
        missing += [str(Path(inner) / name) for name in missing_weights(model.inner(inner))]
    if not missing:
        return
    if (model.path / "adapter_config.json").is_file():
        raise UserError(
            "model_without_weights",
            f"{ref} is a LoRA adapter, not a model.",
            "Give the voice that start_training exported next to it.",
        )
    raise UserError(
        "model_without_weights",
        f"{ref} ({model.path}) lacks {', '.join(missing)}.",
        "Give a directory that holds the whole model: weights, config, text tokenizer and speech_tokenizer/.",
    )
