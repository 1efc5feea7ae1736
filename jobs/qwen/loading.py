"""Loading of a model's directory as upstream's classes: one way for training and for synthesis.

Directories come from ``jobs.qwen.hub``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.qwen.upstream import qwen_tts

if TYPE_CHECKING:
    import torch


def load_base(path: Path, device: str, dtype: torch.dtype, *, with_codec: bool = False) -> Any:
    """Load a model's directory as upstream's ``Qwen3TTSModel`` (``.model``, ``.processor``, ``.generate_defaults``).

    Args:
        dtype: of talker and speaker encoder. The codec is always float32: bfloat16 changes its codes.
        with_codec: load ``speech_tokenizer`` (0.7 GB) too. Training does not need it.
    """
    package = qwen_tts()  # before transformers, because it keeps torchvision and sklearn out
    from transformers import AutoConfig, AutoProcessor, PreTrainedModel

    models = package.core.models
    AutoConfig.register("qwen3_tts", models.Qwen3TTSConfig, exist_ok=True)
    AutoProcessor.register(models.Qwen3TTSConfig, models.Qwen3TTSProcessor, exist_ok=True)
    # not upstream's override of from_pretrained, which always loads the codec, and in the talker's dtype
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
    # upstream's own flag: the same text must become the same ids in training and in synthesis
    processor = AutoProcessor.from_pretrained(str(path), fix_mistral_regex=True)
    return package.Qwen3TTSModel(model=model, processor=processor, generate_defaults=model.generate_config)


def load_tokenizer(path: Path, device: str) -> Any:
    """Load a 12 Hz speech tokenizer's directory as upstream's ``Qwen3TTSTokenizer``, in float32."""
    import torch

    return qwen_tts().Qwen3TTSTokenizer.from_pretrained(str(path), dtype=torch.float32, device_map=device)
