"""Decoding as frames come: the samples of decoding at once, over the seams of upstream's chunks too."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch

from jobs.qwen.loading import load_tokenizer
from jobs.qwen.speech.codec_stream import CHUNK_FRAMES, CONTEXT_FRAMES, CodecStream
from jobs.qwen.toy.checkpoints import TOY_CODEC

HALF_A_STEP_OF_16_BITS = 0.5 / 2**15


@pytest.fixture(scope="module")
def speech_tokenizer() -> Any:
    return load_tokenizer(TOY_CODEC, "cpu")


def make_codes(n_frames: int) -> torch.Tensor:
    return torch.randint(0, 256, (n_frames, 16), generator=torch.Generator().manual_seed(0))


def decode_in_blocks(stream: CodecStream, codes: torch.Tensor, blocks: list[int]) -> np.ndarray:
    return np.concatenate([stream.decode(part) for part in codes.split(blocks)])


@pytest.mark.parametrize("blocks", [[1] * 12, [2, 4, 6], [12]])
def test_blocks_of_any_size_make_the_same_samples(speech_tokenizer: Any, blocks: list[int]) -> None:
    codes = make_codes(12)

    samples = decode_in_blocks(CodecStream(speech_tokenizer), codes, blocks)

    expected = speech_tokenizer.decode([{"audio_codes": codes}])[0][0]
    assert np.abs(expected).max() > 0.1
    assert np.abs(samples - expected).max() < HALF_A_STEP_OF_16_BITS / 10


def test_a_long_take_has_upstreams_seams(speech_tokenizer: Any) -> None:
    codes = make_codes(13)
    decoder = speech_tokenizer.model.decoder
    chunks = inspect.signature(decoder.chunked_decode).parameters

    samples = decode_in_blocks(CodecStream(speech_tokenizer, 5, 2), codes, [4, 9])

    with torch.inference_mode():
        expected = decoder.chunked_decode(codes.T[None], chunk_size=5, left_context_size=2).flatten().numpy()
        at_once = decoder(codes.T[None]).flatten().numpy()
    assert np.abs(samples - expected).max() < HALF_A_STEP_OF_16_BITS / 10
    assert np.abs(samples - at_once).max() > HALF_A_STEP_OF_16_BITS  # a seam is heard in the samples
    assert [chunks[name].default for name in ("chunk_size", "left_context_size")] == [CHUNK_FRAMES, CONTEXT_FRAMES]


def test_streams_do_not_meet_and_leave_the_codec_as_it_was(speech_tokenizer: Any) -> None:
    codes, other = make_codes(6), make_codes(12)[6:]
    before = speech_tokenizer.decode([{"audio_codes": codes}])[0][0]
    first, second = CodecStream(speech_tokenizer), CodecStream(speech_tokenizer)

    parts = [first.decode(codes[:3]), second.decode(other), first.decode(codes[3:])]

    assert np.allclose(np.concatenate([parts[0], parts[2]]), before, atol=1e-6)
    assert np.array_equal(speech_tokenizer.decode([{"audio_codes": codes}])[0][0], before)
