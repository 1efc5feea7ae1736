"""The recipe of the toy codec, on a few seconds of the sample audiobook."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from jobs.qwen.codec import load_codec
from jobs.settings import PROJECT_ROOT
from jobs.speech.audio import CLIP_RATE_HZ, read_clip
from samples.toy_codec.latent import Latent, analyse, fit_latent, with_context
from samples.toy_codec.model import build_codec, save_codec, set_books
from samples.toy_codec.speech import training_lines
from samples.toy_codec.training import Crops, train_decoder, train_encoder


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

    from_residual_books = sum(latent.books[book][codes[0, book]] for book in range(1, 16))
    missed = (vectors[0] - from_residual_books).pow(2).sum() / vectors[0].pow(2).sum()
    assert codes.shape == (1, 16, vectors.shape[1])
    assert missed < 0.05


def test_a_few_seconds_of_training_move_both_halves_and_the_file_loads(
    latent: Latent, speech: NDArray[np.float32], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = build_codec()
    set_books(model, latent)
    crops = Crops([speech], seed=0)

    _, encoder_before = train_encoder(model, latent, crops, seconds=0.01)
    _, encoder_after = train_encoder(model, latent, crops, seconds=2.0)
    _, decoder_before = train_decoder(model, latent, crops, seconds=0.01)
    _, decoder_after = train_decoder(model, latent, crops, seconds=4.0)
    save_codec(model, tmp_path / "codec")

    codec = load_codec(tmp_path / "codec", "cpu")
    codes = codec.encode([speech[:48_000]])[0]
    assert encoder_after < encoder_before
    assert decoder_after < decoder_before
    assert codec.decode(codes).shape == (48_000,)
    assert len(np.unique(codes[:, 1])) > 3


def test_lines_to_train_on_are_many_and_no_line_of_the_held_out_book() -> None:
    lines = list(itertools.islice(training_lines(random.Random(0)), 500))

    held_out = (PROJECT_ROOT / "samples" / "fables.txt").read_text(encoding="utf-8").splitlines()
    assert len(set(lines)) > 490
    assert not set(lines) & set(held_out)
