"""One place for rates and codebooks: it must agree with the codecs' own configs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from jobs.codec_format import FRAMES_PER_SECOND, N_CODEBOOKS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from jobs.qwen.toy.checkpoints import TOY_CODEC
from jobs.qwen.toy.config import codec_config


def check_format(config: Mapping[str, Any]) -> None:
    """Compare a codec's config with the constants."""
    assert (config["input_sample_rate"], config["output_sample_rate"]) == (SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
    assert (config["encode_downsample_rate"], config["decode_upsample_rate"]) == (SAMPLES_PER_FRAME, SAMPLES_PER_FRAME)
    assert config["encoder_valid_num_quantizers"] == N_CODEBOOKS


def test_the_constants_are_those_of_the_committed_codec() -> None:
    config = json.loads((TOY_CODEC / "config.json").read_text(encoding="utf-8"))

    check_format(config)
    assert config["encoder_config"]["frame_rate"] == FRAMES_PER_SECOND == 12.5


def test_the_constants_are_those_of_a_random_toy_codec() -> None:
    check_format(codec_config(256))


def test_the_constants_are_the_defaults_of_the_released_codecs_class() -> None:
    pytest.importorskip("torch", reason="needs the ml environment")
    from jobs.qwen.upstream import qwen_tts

    defaults = qwen_tts().core.Qwen3TTSTokenizerV2Config()

    check_format(vars(defaults))
    assert defaults.decoder_config.num_quantizers == N_CODEBOOKS
