"""Training of the two halves, each alone: samples -> latent (encoder), codes -> samples (decoder)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import librosa
import numpy as np
import torch

from jobs.codec_format import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from samples.toy_codec.latent import Latent
from samples.toy_codec.model import decoder_convolutions, encoder_convolutions, fit_start

BATCH = 3
WARMUP_STEPS = 100
AVERAGE_DECAY = 0.998
ENCODER_FRAMES, ENCODER_LR = 10, 2e-3
DECODER_FRAMES, DECODER_LR = 8, 1e-3
CONTEXT_FRAMES = 2  # at a crop's start the encoder cannot know what it is asked for

# window, hop, mel bands of the decoder's loss: fine in time, fine in pitch, and between
SCALES = ((128, 32, 16), (512, 128, 60), (1024, 256, 100), (2048, 512, 200))
_MELS = {
    window: torch.from_numpy(librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=window, n_mels=bands, norm=None))
    for window, _, bands in SCALES
}


class Crops:
    """Random crops of speech: (batch, 1920 * (frames + 1)) float32, the first frame context."""

    def __init__(self, utterances: Iterable[np.ndarray], seed: int) -> None:
        self._speech = np.concatenate(list(utterances))
        self._rng = np.random.default_rng(seed)

    def draw(self, n_frames: int, batch: int = BATCH) -> torch.Tensor:
        """Crop anywhere: an offset of the frame grid is another example."""
        length = (n_frames + 1) * SAMPLES_PER_FRAME
        starts = self._rng.integers(0, len(self._speech) - length, batch)
        return torch.from_numpy(np.stack([self._speech[start : start + length] for start in starts]))


@dataclass(frozen=True)
class Budget:
    """Length of a training: CPU seconds, or a number of steps, which gives the same weights on a busy machine."""

    cpu_s: float = math.inf
    steps: float = math.inf

    def spent(self, step: int, cpu_s: float) -> float:
        """Share of the budget that is used up, 0 to 1 and beyond."""
        return max(step / self.steps, cpu_s / self.cpu_s)


def train_encoder(model: Any, latent: Latent, crops: Crops, budget: Budget) -> tuple[int, float]:
    """Teach the encoder the latent by regression; return steps and the last loss (0 is perfect, 1 is knowing nothing).

    Both of the quantiser's projections, semantic and acoustic, aim at the same vector.
    """
    encoder = model.encoder
    quantizer = encoder.quantizer
    fit_start(encoder_convolutions(encoder), lambda: encoder.downsample(encoder.encoder(crops.draw(12, 8)[:, None])))
    spread = latent.encode(crops.draw(20, 64)).flatten(0, 1).std(0).clamp(min=0.05)
    weight = (1 / spread).sqrt()  # between equal absolute and equal relative errors of the PCA's directions
    weight = (weight / weight.mean())[:, None]

    def loss() -> torch.Tensor:
        crop = crops.draw(ENCODER_FRAMES)
        wanted = latent.encode(crop).transpose(1, 2)[:, :, CONTEXT_FRAMES:]
        hidden = encoder.encoder(crop[:, None]).transpose(1, 2)
        hidden = encoder.encoder_transformer(hidden, use_cache=False, return_dict=True)[0].transpose(1, 2)
        hidden = encoder.downsample(hidden)[:, :, 1 + CONTEXT_FRAMES :]
        acoustic = quantizer.acoustic_residual_vector_quantizer.input_proj(hidden) - wanted
        semantic = quantizer.semantic_residual_vector_quantizer.input_proj(hidden) - wanted
        return (acoustic * weight).pow(2).mean() + 0.3 * semantic.pow(2).mean()

    return _descend(list(encoder.parameters()), loss, budget, ENCODER_LR, betas=(0.9, 0.98), end=0.03)


def train_decoder(model: Any, latent: Latent, crops: Crops, budget: Budget) -> tuple[int, float]:
    """Teach the decoder to speak the codes of the latent; return steps and the last loss."""
    decoder = model.decoder

    def codes(crop: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return latent.quantise(latent.encode(crop))

    fit_start(decoder_convolutions(decoder), lambda: decoder(codes(crops.draw(12, 8))))

    def loss() -> torch.Tensor:
        crop = crops.draw(DECODER_FRAMES)
        spoken = decoder(codes(crop))[:, 0]
        half = SAMPLES_PER_FRAME // 2  # the decoder hears nothing before the crop: its first half frame cannot be right
        return spectral_loss(spoken[:, half:], crop[:, SAMPLES_PER_FRAME + half :])

    trained = [parameter for parameter in decoder.parameters() if parameter.requires_grad]
    return _descend(trained, loss, budget, DECODER_LR, betas=(0.8, 0.97), end=0.3)


def spectral_loss(spoken: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Distance of magnitudes at four scales, blind to phase. Both (batch, samples)."""
    total = torch.zeros(())
    for window, hop, _ in SCALES:
        ours, theirs = (_magnitude(samples, window, hop) for samples in (spoken, wanted))
        mel = _MELS[window]
        total = total + (torch.log(mel @ ours + 1e-3) - torch.log(mel @ theirs + 1e-3)).abs().mean()
        if window in (512, 2048):
            miss = ((ours - theirs).pow(2).sum((1, 2)) + 1e-8).sqrt()
            total = total + 0.5 * (miss / (theirs.pow(2).sum((1, 2)) + 1e-3).sqrt()).mean()
            total = total + 0.25 * (torch.log(ours + 1e-3) - torch.log(theirs + 1e-3)).abs().mean()
    return total


def log_mel(samples: torch.Tensor) -> torch.Tensor:
    """(samples,) -> (100, windows): what held-out errors are stated in."""
    return torch.log(_MELS[1024] @ _magnitude(samples, 1024, 256) + 1e-3)


def _magnitude(samples: torch.Tensor, window: int, hop: int) -> torch.Tensor:
    spectrum = torch.stft(samples, window, hop, window=torch.hann_window(window), return_complex=True)
    return spectrum.abs() * (2 / window)


def _descend(
    parameters: list[torch.nn.Parameter],
    loss: Callable[[], torch.Tensor],
    budget: Budget,
    peak_lr: float,
    *,
    betas: tuple[float, float],
    end: float,
) -> tuple[int, float]:
    """AdamW with warm-up, cosine decay over the budget, clipping, and a moving average kept at the end."""
    optimiser = torch.optim.AdamW(parameters, lr=peak_lr, betas=betas, weight_decay=1e-3)
    average = [parameter.detach().clone() for parameter in parameters]
    recent: list[float] = []
    step, began = 0, time.process_time()
    while (spent := budget.spent(step, time.process_time() - began)) < 1:
        cosine = 0.5 * (1 + math.cos(math.pi * spent))
        for group in optimiser.param_groups:
            group["lr"] = peak_lr * min(1, (step + 1) / WARMUP_STEPS) * (end + (1 - end) * cosine)
        value = loss()
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        if torch.isfinite(torch.nn.utils.clip_grad_norm_(parameters, 3.0)):
            optimiser.step()
        step += 1
        recent = [*recent[-49:], value.item()]
        decay = min(AVERAGE_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, parameter in zip(average, parameters, strict=True):
                kept.lerp_(parameter, 1 - decay)
    with torch.no_grad():
        for kept, parameter in zip(average, parameters, strict=True):
            parameter.copy_(kept)
    return step, float(np.mean(recent)) if recent else math.nan
