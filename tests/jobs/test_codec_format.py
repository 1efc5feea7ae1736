"""One place for rates and codebooks: it must agree with the codecs' own configs."""

from __future__ import annotations

import json

import pytest

from jobs.codec_format import EXPECTED, FRAMES_PER_SECOND, CodecFormat, read_codec_format
from jobs.qwen.toy.checkpoints import TOY_CODEC
from jobs.qwen.toy.config import codec_config


def test_the_constants_are_those_of_the_committed_codec() -> None:
    config = json.loads((TOY_CODEC / "config.json").read_text(encoding="utf-8"))

    assert read_codec_format(config) == EXPECTED
    assert config["encoder_config"]["frame_rate"] == FRAMES_PER_SECOND == 12.5


def test_the_constants_are_those_of_a_random_toy_codec() -> None:
    assert read_codec_format(codec_config(256)) == EXPECTED


def test_the_constants_are_the_defaults_of_the_released_codecs_class() -> None:
    pytest.importorskip("torch", reason="needs the ml environment")
    from jobs.qwen.upstream import qwen_tts

    defaults = qwen_tts().core.Qwen3TTSTokenizerV2Config()

    assert (defaults.output_sample_rate, defaults.decode_upsample_rate) == (24_000, 1_920)
    assert read_codec_format(vars(defaults)) == EXPECTED
    assert defaults.decoder_config.num_quantizers == EXPECTED.n_codebooks


def test_another_format_is_read_from_its_config() -> None:
    config = {"output_sample_rate": 48_000, "decode_upsample_rate": 960, "encoder_valid_num_quantizers": 8}

    assert read_codec_format(config) == CodecFormat(48_000, 960, 8)
    assert read_codec_format(config).frames_per_second == 50.0
