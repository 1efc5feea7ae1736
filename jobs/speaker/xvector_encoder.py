"""Speaker embeddings by a WavLM x-vector model whose weights are on this machine: sharper than the carried encoder.

Its SIM has a scale of its own: never compare it with another encoder's; limits are fitted (``rating.fitted_limits``).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jobs.audio.mel import Floats
from jobs.errors import UserError
from jobs.speaker.ge2e_encoder import RATE_HZ, unit

LONGEST_S = 30.0  # memory grows with the square of the length; a voice is known long before
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class XVectorEncoder:
    """Audio at 16 kHz to a unit vector; CPU.

    Args:
        folder: a ``WavLMForXVector`` as transformers saves it, e.g. microsoft/wavlm-base-plus-sv.

    Raises:
        UserError: ``encoder_unusable``.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoFeatureExtractor, WavLMForXVector

        try:
            self._features: Any = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            self._model: Any = WavLMForXVector.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                "encoder_unusable",
                f"{folder} does not load as a WavLM x-vector model: {error}",
                "Give a folder of microsoft/wavlm-base-plus-sv or another WavLMForXVector, or leave speaker_model out.",
            ) from error

    @torch.inference_mode()
    def embed(self, audio: Floats) -> Floats:
        """Speaker embedding of a clip: (dimensions,), a unit vector.

        Args:
            audio: (samples,) mono at 16 kHz; what is beyond ``LONGEST_S`` is not heard, less than half a second is
                repeated.
        """
        heard = audio[: int(LONGEST_S * RATE_HZ)]
        heard = np.resize(heard, max(len(heard), RATE_HZ // 2))
        inputs = self._features(heard, sampling_rate=RATE_HZ, return_tensors="pt")
        return unit(self._model(**inputs).embeddings[0].float().numpy())


def encoder_name(folder: Path) -> str:
    """A name that differs where the weights differ.

    Raises:
        UserError: ``encoder_unusable`` when the folder holds no weights.
    """
    for name in _WEIGHTS:
        if (folder / name).is_file():
            with (folder / name).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            title = folder.parents[1].name if folder.parent.name == "snapshots" else folder.name
            return f"WavLM x-vector {title} ({digest[:12]})"
    raise UserError(
        "encoder_unusable",
        f"There is neither {' nor '.join(_WEIGHTS)} in {folder}.",
        "Give a folder of microsoft/wavlm-base-plus-sv, or leave speaker_model out.",
    )
