"""Resolution of a model's name to its directory on this machine; the hub's models are downloaded if need be.

Models are always loaded by directory, in training and in synthesis, with the text tokenizer that stock gives a hub id
(``jobs.qwen.loading.load_processor``).
"""

import logging
import re
import shlex
from pathlib import Path

from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.model_folders.contents import ModelFolder
from jobs.qwen.model_files import COPIED_FILES, MODEL_FILES, check_model, check_tokenizer, missing_weights
from jobs.qwen.toy.checkpoints import TOY_CODEC, speaking_toy
from jobs.settings import Settings

logger = logging.getLogger(__name__)

DOWNLOADED = ("*.safetensors", "*.safetensors.index.json", "*configuration.json", *MODEL_FILES, *COPIED_FILES)
_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")


def resolve_model(ref: str, settings: Settings) -> Path:
    """Find the directory of a Qwen3-TTS 12 Hz model.

    Args:
        ref: ``toy``, a directory, or a hub id. A hub id is looked up in the Hugging Face cache, then downloaded.

    Raises:
        UserError: ``model_unavailable``, ``model_without_weights`` (names the missing file) or
            ``model_not_qwen_tts``.
    """
    folder = speaking_toy(settings.home) if ref == "toy" else _find_directory(ref)
    check_model(folder, ref)
    return folder


def resolve_tokenizer(ref: str, settings: Settings) -> Path:
    """Find the directory of a 12 Hz speech tokenizer. The directory of a whole model stands for the one inside it.

    Raises:
        UserError: as ``resolve_model``.
    """
    return check_tokenizer(TOY_CODEC if ref == "toy" else _find_directory(ref), ref)


def _find_directory(ref: str) -> Path:
    folder = expand_user(ref)
    if folder.is_dir():
        return folder.resolve()
    if not _HUB_ID.match(ref) or folder.is_absolute():
        raise UserError(
            "model_unavailable",
            f"There is no directory {ref}, and it is not a hub id (owner/name).",
            "Give a hub id such as Qwen/Qwen3-TTS-12Hz-0.6B-Base, a directory that holds the model, or toy.",
        )
    return _find_hub_snapshot(ref)


def _find_hub_snapshot(ref: str) -> Path:
    """Find a complete snapshot of a hub id in the cache, or download it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        cached = Path(snapshot_download(ref, local_files_only=True))
        if not missing_weights(ModelFolder.at(cached)):
            return cached
    except LocalEntryNotFoundError:
        pass
    logger.info("downloading %s", ref)
    try:
        return Path(snapshot_download(ref, allow_patterns=list(DOWNLOADED)))
    except (LocalEntryNotFoundError, OSError) as error:
        answered = isinstance(error, HfHubHTTPError) and not isinstance(error, LocalEntryNotFoundError)
        why = (
            f"the hub answered: {error}"
            if answered
            else f"it is not in the Hugging Face cache, and the hub cannot be reached ({type(error).__name__})"
        )
        cause = error
    raise UserError(
        "model_unavailable",
        f"Cannot get {ref}: {why}.",
        f"Where there is a network, run `hf download {shlex.quote(ref)} --local-dir DIR`, copy DIR here and pass it; "
        "or use toy.",
    ) from cause
