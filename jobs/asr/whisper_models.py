"""Loading of faster-whisper models: files on the disk or from the hub, device and number format."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.asr.ctranslate2_cuda import load_cuda_libraries, translate_cuda_error
from jobs.asr.model_registry import ComputeType
from jobs.errors import UserError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedWhisper:
    """A ``faster_whisper.WhisperModel`` and the device it is on, ``cuda`` or ``cpu``."""

    model: Any
    device: str


def load_whisper(
    model: str, device: str, compute_type: ComputeType, *, cpu_threads: int = 0, seed: int = 0
) -> LoadedWhisper:
    """Load a model; arguments and errors as in ``jobs.asr.whisper.Transcriber``."""
    import ctranslate2
    from faster_whisper import WhisperModel

    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if device == "cuda":
        if not ctranslate2.get_cuda_device_count():
            raise UserError("cuda_failed", "CTranslate2 finds no GPU.", "Check nvidia-smi; or give device cpu.")
        load_cuda_libraries()
    folder = _find_model_folder(model)
    if compute_type == "auto":
        compute_type = "float16" if device == "cuda" else "int8"
    supported = ctranslate2.get_supported_compute_types(device)
    if compute_type not in supported:
        raise UserError(
            "compute_type_unsupported",
            f"This machine's {device} does not compute in {compute_type}.",
            f"Use one of: {', '.join(sorted(supported))}; or auto.",
        )
    ctranslate2.set_random_seed(seed)  # read by the threads that the model starts
    try:
        whisper = WhisperModel(
            str(folder), device=device, compute_type=compute_type, cpu_threads=cpu_threads, local_files_only=True
        )
    except (RuntimeError, ValueError) as error:
        cuda = translate_cuda_error(error, f"Whisper {model}") if isinstance(error, RuntimeError) else None
        raise cuda or _unavailable(model, f"its files in {folder} do not load: {error}") from error
    return LoadedWhisper(whisper, device)


def _find_model_folder(model: str) -> Path:
    """Return the folder of the model's files: given, cached or downloaded."""
    from faster_whisper import download_model

    given = Path(model).expanduser()
    if given.is_dir():
        if not (given / "model.bin").is_file():
            raise _unavailable(
                model,
                "the directory holds no model.bin (ct2-transformers-converter makes one of a transformers model)",
            )
        return given
    try:
        folder = Path(download_model(model, local_files_only=True))
        if (folder / "model.bin").is_file():
            return folder
    except (OSError, ValueError):
        pass  # not in the cache
    logger.info("Downloading Whisper %s.", model)
    try:
        return Path(download_model(model))
    except (OSError, ValueError) as error:  # requests' and huggingface_hub's errors are among these
        raise _unavailable(model, f"it is not in the cache and could not be downloaded ({error})") from error


def _unavailable(model: str, why: str) -> UserError:
    return UserError(
        "model_unavailable",
        f"There is no Whisper model {model!r}: {why}.",
        "On a machine with network: hf download Systran/faster-whisper-large-v3 (3 GB; -small 0.5 GB), then give "
        "the folder as whisper_model. Without Whisper: give the book's text or segments_jsonl to ingest_audiobook.",
    )
