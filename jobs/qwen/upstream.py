"""Import of the upstream ``qwen_tts`` package, once and without its 25 Hz half. Nothing else imports it.

That half is not used here. It prints a flash-attn banner, runs ``sox -h`` and imports librosa's numba.
"""

import sys
from types import ModuleType
from typing import Any

from jobs.audio.mel import Floats, mel_filters
from jobs.imports import collection_paused, replaced
from jobs.model_folders.lean_transformers import lean_transformers


def qwen_tts() -> ModuleType:
    """Import ``qwen_tts`` (2 to 20 s the first time) and return it."""
    if "qwen_tts" not in sys.modules:
        with collection_paused(), lean_transformers(), replaced(_stand_ins()):
            import qwen_tts as package
            from transformers.utils import logging as transformers_logging
        # a warning per generate call about pad_token_id and one per load about rope keys; both are harmless
        transformers_logging.set_verbosity_error()
        return package  # type: ignore[no-any-return]
    return sys.modules["qwen_tts"]


class Qwen3TTSTokenizerV1Model:
    """Stand-in for the model of the 25 Hz tokenizer: upstream registers it, and no folder with it is loaded."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("the 25 Hz speech tokenizer is not supported")


def _mel(*, sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> Floats:
    """Return what ``librosa.filters.mel`` does, for the band that the speaker encoder hears."""
    if fmin != 0 or fmax not in (None, sr / 2):
        raise NotImplementedError(f"filters from {fmin} to {fmax} Hz")
    return mel_filters(sr, n_fft, n_mels)


def _stand_ins() -> dict[str, ModuleType]:
    tokenizer = ModuleType("qwen_tts.core.tokenizer_25hz.modeling_qwen3_tts_tokenizer_v1")
    filters = ModuleType("librosa.filters")
    tokenizer.__dict__["Qwen3TTSTokenizerV1Model"] = Qwen3TTSTokenizerV1Model
    filters.__dict__["mel"] = _mel
    return {module.__name__: module for module in (tokenizer, filters)}
