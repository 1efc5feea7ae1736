"""The recipe of the toy codec, on a few seconds of the sample audiobook."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.qwen.codec import load_codec
from jobs.settings import PROJECT_ROOT
from samples.toy_codec.latent import Latent, analyse, fit_latent, with_context
from samples.toy_codec.model import build_codec, save_codec, set_books
from samples.toy_codec.speech import training_lines
from samples.toy_codec.training import Budget, Crops, spectral_loss, train_decoder, train_encoder


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    torch.set_num_threads(1)
    return read_clip(PROJECT_ROOT / "samples" / "fables.m4b", CLIP_RATE_HZ)[: 25 * CLIP_RATE_HZ]


@pytest.fixture(scope="module")
def latent(speech: NDArray[np.float32]) -> Latent:
    return fit_latent([speech])


def test_analysis_of_a_frame_never_looks_beyond_it() -> None:
    samples = torch.randn(1, 5 * 1920, generator=torch.Generator().manual_seed(0))
    changed = samples.clone()
    changed[:, 3 * 1920 :] = 0

    first, second = analyse(samples), analyse(changed)

    assert first.shape == (1, 4, 740)
    assert torch.equal(first[:, :2], second[:, :2])
    assert not torch.equal(first[:, 2], second[:, 2])


def test_books_keep_nearly_all_of_the_latent(latent: Latent, speech: NDArray[np.float32]) -> None:
    vectors = latent.encode(with_context(speech))
    codes = latent.quantise(vectors)

    from_residual_codebooks = sum(latent.codebooks[codebook][codes[0, codebook]] for codebook in range(1, 16))
    missed = (vectors[0] - from_residual_codebooks).pow(2).sum() / vectors[0].pow(2).sum()
    assert codes.shape == (1, 16, vectors.shape[1])
    assert missed < 0.05


def held_loss(model: Any, latent: Latent, speech: NDArray[np.float32]) -> tuple[float, float]:
    """Encoder's distance from the latent and decoder's from the speech, on the same four seconds every time."""
    crop = torch.from_numpy(speech[None, 24_000 : 24_000 + 50 * 1920])
    with torch.no_grad():
        wanted = latent.encode(crop)
        hidden = model.encoder.encoder(crop[:, None, 1920:]).transpose(1, 2)
        hidden = model.encoder.encoder_transformer(hidden, use_cache=False, return_dict=True)[0].transpose(1, 2)
        found = model.encoder.quantizer.acoustic_residual_vector_quantizer.input_proj(model.encoder.downsample(hidden))
        spoken = model.decoder(latent.quantise(wanted))[:, 0]
        return (
            float((found - wanted.transpose(1, 2)).pow(2).mean()),
            float(spectral_loss(spoken[:, 1920:], crop[:, 2 * 1920 :])),
        )


def test_a_few_steps_of_training_move_both_halves_and_the_file_loads(
    latent: Latent, speech: NDArray[np.float32], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = build_codec()
    set_books(model, latent)
    crops = Crops([speech], seed=0)
    train_encoder(model, latent, crops, Budget(steps=1))
    train_decoder(model, latent, crops, Budget(steps=1))
    encoder_before, decoder_before = held_loss(model, latent, speech)

    train_encoder(model, latent, crops, Budget(steps=20))
    train_decoder(model, latent, crops, Budget(steps=10))
    save_codec(model, tmp_path / "codec")

    encoder_after, decoder_after = held_loss(model, latent, speech)
    codec = load_codec(tmp_path / "codec", "cpu")
    codes = codec.encode([speech[:48_000]])[0]
    assert encoder_after < 0.9 * encoder_before
    assert decoder_after < 0.95 * decoder_before
    assert codec.decode(codes).shape == (48_000,)
    assert len(np.unique(codes[:, 1])) > 3


def test_lines_to_train_on_are_many_and_no_line_of_the_held_out_book() -> None:
    lines = list(itertools.islice(training_lines(random.Random(0)), 500))

    held_out = (PROJECT_ROOT / "samples" / "fables.txt").read_text(encoding="utf-8").splitlines()
    assert len(set(lines)) > 475  # the interpreter's own documentation is among them: 490 to 497 by version
    assert not set(lines) & set(held_out)
