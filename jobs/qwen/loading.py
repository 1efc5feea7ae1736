"""From what a user calls a model to a directory, and from a directory to the loaded model.

There is one loading path, by directory, for training and speaking alike: stock qwen-tts swaps the text tokenizer's
pattern for local directories with some ``transformers_version`` values, so a hub id and its copy may tokenise
differently. We always resolve to a directory first.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import UserError
from jobs.qwen.model_files import check_model, check_tokenizer, missing_weights
from jobs.qwen.toy.checkpoints import TOY_CODEC, speaking_toy
from jobs.qwen.upstream import qwen_tts
from jobs.settings import Settings

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")


def resolve_model(ref: str, settings: Settings) -> Path:
    """Find the directory of a Qwen3-TTS 12 Hz model.

    Args:
        ref: ``toy``, a directory, or a hub id, which is looked up in the Hugging Face cache and downloaded if the
            network allows.
        settings: where the toy lives.

    Raises:
        UserError: ``model_unavailable``, ``model_without_weights`` (names the missing file) or
            ``model_not_qwen_tts``.
    """
    folder = speaking_toy(settings.home) if ref == "toy" else _directory(ref)
    check_model(folder, ref)
    return folder


def resolve_tokenizer(ref: str, settings: Settings) -> Path:
    """Find the directory of a 12 Hz speech tokenizer; a whole model's directory stands for the one inside it.

    Raises:
        UserError: as ``resolve_model``.
    """
    return check_tokenizer(TOY_CODEC if ref == "toy" else _directory(ref), ref)


def load_base(path: Path, device: str, dtype: torch.dtype, *, with_codec: bool = False) -> Any:
    """Load a model's directory as a stock ``Qwen3TTSModel`` (``.model``, ``.processor``, ``.generate_defaults``).

    Args:
        path: from ``resolve_model``; a base model or an exported voice.
        device: ``cpu`` or ``cuda:0``.
        dtype: of talker and speaker encoder. The codec is always float32: bfloat16 changes its codes.
        with_codec: load ``speech_tokenizer`` too. Training leaves it out: it never needs it, and it is 0.7 GB.
    """
    package = qwen_tts()  # first: it leaves out what else transformers would load
    from transformers import AutoConfig, AutoProcessor, PreTrainedModel

    models = package.core.models
    AutoConfig.register("qwen3_tts", models.Qwen3TTSConfig, exist_ok=True)
    AutoProcessor.register(models.Qwen3TTSConfig, models.Qwen3TTSProcessor, exist_ok=True)
    # past the stock override, which always loads the codec and in the talker's dtype
    model = PreTrainedModel.from_pretrained.__func__(
        models.Qwen3TTSForConditionalGeneration,
        str(path),
        config=models.Qwen3TTSConfig.from_pretrained(str(path)),
        dtype=dtype,
        device_map=device,
        attn_implementation="sdpa",
    )
    model.load_generate_config(json.loads((path / "generation_config.json").read_text(encoding="utf-8")))
    if with_codec:
        model.load_speech_tokenizer(load_tokenizer(path / "speech_tokenizer", device))
    # the flag that stock uses: the same text must become the same ids in training and in speaking
    processor = AutoProcessor.from_pretrained(str(path), fix_mistral_regex=True)
    return package.Qwen3TTSModel(model=model, processor=processor, generate_defaults=model.generate_config)


def text_ids(base: Any, text: str) -> torch.Tensor:
    """Tokenise a text as generation does: (n,) ids of role and body, without generate's tail.

    Args:
        base: from ``load_base``.
        text: stripped, because a leading newline would melt into the role's.
    """
    from jobs.qwen.train.sequence_layout import TAIL_LENGTH

    ids: torch.Tensor = base.processor(text=base._build_assistant_text(text.strip()), return_tensors="pt")["input_ids"]
    return ids[0, :-TAIL_LENGTH]


def load_tokenizer(path: Path, device: str) -> Any:
    """Load a 12 Hz speech tokenizer's directory as a stock ``Qwen3TTSTokenizer``, in float32."""
    import torch

    return qwen_tts().Qwen3TTSTokenizer.from_pretrained(str(path), dtype=torch.float32, device_map=device)


def _directory(ref: str) -> Path:
    folder = Path(ref).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if not _HUB_ID.match(ref) or folder.is_absolute():
        raise UserError(
            "model_unavailable",
            f"There is no directory {ref}, and it is not a hub id (owner/name).",
            "Give a hub id such as Qwen/Qwen3-TTS-12Hz-0.6B-Base, a directory that holds the model, or toy.",
        )
    return _hub_snapshot(ref)


def _hub_snapshot(ref: str) -> Path:
    """Find a hub id in the cache, complete, or download it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        cached = Path(snapshot_download(ref, local_files_only=True))
        if not missing_weights(cached):
            return cached
    except LocalEntryNotFoundError:
        pass
    logger.info("downloading %s", ref)
    try:
        return Path(snapshot_download(ref))
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
        f"Where there is a network, run `hf download {ref} --local-dir DIR`, copy DIR here and pass it; or use toy.",
    ) from cause
