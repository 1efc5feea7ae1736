"""The 12 Hz speech tokenizer (codec): audio to codes and back, always in float32.

Rates and codebooks are in ``jobs.codec_format``; the 16 codes of a frame are one index into each codebook.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.codec_format import N_CODEBOOKS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from jobs.errors import UserError
from jobs.qwen.devices import gpu_memory_explained
from jobs.qwen.loading import load_tokenizer


@dataclass(frozen=True)
class Codec:
    """A loaded 12 Hz tokenizer.

    Attributes:
        codebook_size: entries per codebook; every code is below it.
        n_parameters: of the loaded halves (encoder, decoder).
    """

    upstream: Any
    codebook_size: int
    n_parameters: int

    def encode(self, clips: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
        """Encode clips: on a GPU as one batch, on a CPU clip by clip.

        Every clip is padded with silence to whole frames first. Without that, the codes of its last frame would depend
        on the batch: alone, each layer of the encoder pads its own input with zeros; in a batch, the silence after
        a shorter clip has passed through the layers before (measured on qwen-tts 0.1.1). Rounding remains: kernels
        depend on the batch, and where two entries of a codebook are almost equally near, a code may flip. On a CPU
        clips are encoded one by one, so codes do not depend on a batch. That is also faster there, because a batch's
        activations leave the caches and its padding is computed (92 s of mixed clips: 1.4 CPU s, as one batch 4.9).

        Args:
            clips: float32 mono at 24 kHz, each at least one sample long.

        Returns:
            For each clip its codes, (frames, 16), with frames = ceil(samples / 1920).

        Raises:
            UserError: ``cuda_oom``, or ``codes_out_of_range`` when the tokenizer is broken.
        """
        if not clips:
            return []
        whole = [np.pad(clip, (0, -len(clip) % SAMPLES_PER_FRAME)) for clip in clips]
        batches = [[clip] for clip in whole] if str(self.upstream.device) == "cpu" else [whole]
        codes = [each for batch in batches for each in self.encode_together(batch)]
        for clip, each in zip(whole, codes, strict=True):
            self._check(each, len(clip) // SAMPLES_PER_FRAME)
        return codes

    def encode_together(self, whole: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
        """Encode clips of whole frames as one batch on any device."""
        with full_float32(), gpu_memory_explained("batch_s"):
            encoded = self.upstream.encode(list(whole), sr=SAMPLE_RATE_HZ).audio_codes
        return [each.cpu().numpy() for each in encoded]

    def decode(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Decode codes, (frames, 16), to float32 audio at 24 kHz, (frames * 1920,).

        Raises:
            UserError: ``cuda_oom``, or ``codes_out_of_range`` when the codes belong to another tokenizer.
        """
        self._check(codes, len(codes))
        if not len(codes):
            return np.zeros(0, np.float32)
        with full_float32(), gpu_memory_explained("batch_s"):
            waveforms, _ = self.upstream.decode({"audio_codes": [np.ascontiguousarray(codes)]})
        audio: NDArray[np.float32] = waveforms[0]
        return audio

    def _check(self, codes: NDArray[np.int64], n_frames: int) -> None:
        in_range = codes.size == 0 or (codes.min() >= 0 and codes.max() < self.codebook_size)
        if codes.shape == (n_frames, N_CODEBOOKS) and in_range:
            return
        found = f"shape {codes.shape}" + (f", codes {codes.min()} to {codes.max()}" if codes.size else "")
        raise UserError(
            "codes_out_of_range",
            f"Codes with {found}; expected {n_frames} frames of {N_CODEBOOKS} codes below {self.codebook_size}.",
            "Use the tokenizer of this model. If it is that one, download it again.",
        )


def load_codec(path: Path, device: str, *, encoder_only: bool = False) -> Codec:
    """Load the directory of a 12 Hz tokenizer (from ``resolve_tokenizer``) in float32.

    Args:
        encoder_only: drop the decoder's weights to save memory; ``decode`` then fails.
    """
    upstream = load_tokenizer(path, device)
    if encoder_only:
        upstream.model.decoder = None
    return Codec(
        upstream=upstream,
        codebook_size=int(upstream.model.config.decoder_config.codebook_size),
        n_parameters=sum(parameter.numel() for parameter in upstream.model.parameters()),
    )


@contextmanager
def full_float32() -> Iterator[None]:
    """Switch off TF32 for convolutions, which CUDA uses by default: its 10-bit mantissa changes codes."""
    import torch

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
