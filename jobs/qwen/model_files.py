"""Required files of a model's directory, and its config. Imports no heavy library: tools check models with it."""

import json
from pathlib import Path
from typing import Any

from jobs.errors import UserError

CARD = "tts_train.json"  # in the directory of a voice trained here: how it was made
MODEL_TYPE = "qwen3_tts"
TOKENIZER_TYPE = "qwen3_tts_tokenizer_12hz"
MODEL_FILES = (
    "config.json",
    "generation_config.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "speech_tokenizer/config.json",
    "speech_tokenizer/preprocessor_config.json",
)
TOKENIZER_FILES = ("config.json", "preprocessor_config.json")


def check_model(folder: Path, ref: str) -> None:
    """Check that a directory holds a whole Qwen3-TTS 12 Hz model.

    Raises:
        UserError: ``model_without_weights`` (names the missing files) or ``model_not_qwen_tts``.
    """
    _check_files(folder, ref, MODEL_FILES, ("", "speech_tokenizer"))
    config = read_config(folder)
    if config.get("model_type") != MODEL_TYPE or config.get("tokenizer_type") != TOKENIZER_TYPE:
        raise UserError(
            "model_not_qwen_tts",
            f"{ref} is a {config.get('model_type')!r} model with tokenizer {config.get('tokenizer_type')!r}, "
            f"not {MODEL_TYPE!r} with {TOKENIZER_TYPE!r}.",
            "Give a Qwen3-TTS-12Hz model, a voice from start_training, or toy.",
        )


def check_tokenizer(folder: Path, ref: str) -> Path:
    """Check a 12 Hz speech tokenizer's directory and return it. A model's directory stands for the tokenizer inside.

    Raises:
        UserError: as ``check_model``.
    """
    if (folder / "speech_tokenizer").is_dir():
        folder = folder / "speech_tokenizer"
    _check_files(folder, ref, TOKENIZER_FILES, ("",))
    found = read_config(folder).get("model_type")
    if found != TOKENIZER_TYPE:
        raise UserError(
            "model_not_qwen_tts",
            f"{ref} is a {found!r} model, not the 12 Hz speech tokenizer {TOKENIZER_TYPE!r}.",
            "Give Qwen/Qwen3-TTS-Tokenizer-12Hz, a Qwen3-TTS-12Hz model's directory, or toy.",
        )
    return folder


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json`` of a model's directory.

    Raises:
        UserError: ``model_not_qwen_tts`` when it is not a JSON object.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            "model_not_qwen_tts", f"{folder / 'config.json'} cannot be read: {error}.", "Download the model again."
        ) from error
    if not isinstance(config, dict):
        raise UserError(
            "model_not_qwen_tts", f"{folder / 'config.json'} holds no JSON object.", "Download the model again."
        )
    return config


def missing_weights(folder: Path) -> list[str]:
    """List the weight files that are missing from a model's directory."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [] if (folder / "model.safetensors").is_file() else ["model.safetensors"]
    shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return sorted(name for name in shards if not (folder / name).is_file())


def _check_files(folder: Path, ref: str, files: tuple[str, ...], weight_folders: tuple[str, ...]) -> None:
    missing = [name for name in files if not (folder / name).is_file()]
    for inner in weight_folders:
        missing += [str(Path(inner) / name) for name in missing_weights(folder / inner)]
    if not missing:
        return
    if (folder / "adapter_config.json").is_file():
        raise UserError(
            "model_without_weights",
            f"{ref} is a LoRA adapter, not a model.",
            "Give the voice that start_training exported next to it.",
        )
    raise UserError(
        "model_without_weights",
        f"{ref} ({folder}) lacks {', '.join(missing)}.",
        "Give a directory that holds the whole model: weights, config, text tokenizer and speech_tokenizer/.",
    )
