"""The toy codec's latent, fixed before anything is trained: spectra of a frame -> PCA -> 16 k-means codebooks.

Without it encoder, codebooks and decoder would have to find a language together, and small ones never do (three such
runs never beat a constant spectrum). With it the two halves are plain supervised learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
import torch
from torch.nn import functional

from jobs.codec_format import N_CODEBOOKS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

LATENT_SIZE = 64
CODEBOOK_SIZE = 256
KMEANS_ROUNDS = 12

_WINDOW, _HOP, _N_FFT, _N_MELS = 600, 240, 1024, 80  # 25 ms windows, eight a frame
_SLOW_N_FFT, _SLOW_BINS = 2048, slice(3, 103)  # one window over the frame, 35 to 1200 Hz: the pitch
_MEL = torch.from_numpy(
    librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=_N_FFT, n_mels=_N_MELS, fmin=40, fmax=8000, norm=None)
)


def analyse(samples: torch.Tensor) -> torch.Tensor:
    """Describe each frame by 8 causal log-mel windows and one low-frequency spectrum.

    Args:
        samples: (batch, 1920 * (frames + 1)); the first 1,920 are context.

    Returns:
        (batch, frames, 740). Every window ends within its frame, so a causal encoder can know it.
    """
    batch, n_frames = samples.shape[0], samples.shape[1] // SAMPLES_PER_FRAME - 1
    windows = samples[:, SAMPLES_PER_FRAME - (_WINDOW - _HOP) :].unfold(1, _WINDOW, _HOP) * torch.hann_window(_WINDOW)
    magnitude = torch.fft.rfft(windows, _N_FFT).abs() / (_WINDOW / 2)
    mel = torch.log(magnitude @ _MEL.T + 3e-3)[:, : 8 * n_frames].reshape(batch, n_frames, 8 * _N_MELS)
    whole = samples[:, SAMPLES_PER_FRAME:].unfold(1, SAMPLES_PER_FRAME, SAMPLES_PER_FRAME)
    whole = whole * torch.hann_window(SAMPLES_PER_FRAME)
    slow = torch.log(torch.fft.rfft(whole, _SLOW_N_FFT).abs()[..., _SLOW_BINS] / (SAMPLES_PER_FRAME / 2) + 1e-3)
    return torch.cat([mel, 0.5 * (slow - slow.mean(-1, keepdim=True))], -1)


def with_context(utterance: np.ndarray) -> torch.Tensor:
    """One utterance as (1, 1920 * (frames + 1)): a frame of silence before, filled to whole frames."""
    return functional.pad(torch.from_numpy(utterance), (SAMPLES_PER_FRAME, -len(utterance) % SAMPLES_PER_FRAME))[None]


@dataclass(frozen=True)
class Latent:
    """PCA and codebooks, all float32.

    Attributes:
        mean: (740,) of the analysis.
        projection: (740, 64).
        codebooks: (16, 256, 64). Codebook 0 stands for the whole vector; codebooks 1 to 15 do so too, by successive
            residuals.
    """

    mean: torch.Tensor
    projection: torch.Tensor
    codebooks: torch.Tensor

    def encode(self, samples: torch.Tensor) -> torch.Tensor:
        """(batch, 1920 * (frames + 1)) samples, the first frame context -> (batch, frames, 64)."""
        return (analyse(samples) - self.mean) @ self.projection

    def quantise(self, latent: torch.Tensor) -> torch.Tensor:
        """(batch, frames, 64) -> codes (batch, 16, frames), as the stock decoder takes them."""
        flat = latent.reshape(-1, LATENT_SIZE)
        codes = [torch.cdist(flat, self.codebooks[0]).argmin(1)]
        rest = flat
        for codebook in self.codebooks[1:]:
            codes.append(torch.cdist(rest, codebook).argmin(1))
            rest = rest - codebook[codes[-1]]
        return torch.stack(codes, 1).reshape(*latent.shape[:-1], N_CODEBOOKS).transpose(1, 2)


def fit_latent(utterances: Sequence[np.ndarray], seed: int = 0) -> Latent:
    """Fit PCA and codebooks to speech, each utterance analysed at two offsets of the frame grid."""
    generator = torch.Generator().manual_seed(seed)
    offsets = (0, SAMPLES_PER_FRAME // 2)
    frames = torch.cat([analyse(with_context(speech[offset:]))[0] for speech in utterances for offset in offsets])
    mean = frames.mean(0)
    centred = frames - mean
    directions = torch.linalg.svd(centred.T @ centred / len(centred))[0][:, :LATENT_SIZE]
    latent = centred @ directions
    scale = latent.pow(2).mean().sqrt()
    latent = latent / scale
    codebooks, rest = [_kmeans(latent, generator)], latent
    for _ in range(N_CODEBOOKS - 1):
        codebook = _kmeans(rest, generator)
        rest = rest - codebook[torch.cdist(rest, codebook).argmin(1)]
        codebooks.append(codebook)
    return Latent(mean, directions / scale, torch.stack(codebooks))


def _kmeans(points: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Lloyd's algorithm from random points; a centre without points becomes a random point again."""
    centres = points[torch.randperm(len(points), generator=generator)[:CODEBOOK_SIZE]].clone()
    for _ in range(KMEANS_ROUNDS):
        nearest = torch.cdist(points, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        counts = torch.bincount(nearest, minlength=CODEBOOK_SIZE)[:, None]
        strays = points[torch.randint(len(points), (CODEBOOK_SIZE,), generator=generator)]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), strays)
    return centres
