"""Bases of benchmarks are built as the released model of their name."""

from __future__ import annotations

import pytest

from bench.support.train_step import SIZES, config_of, released_shape


@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_base_is_built_as_the_released_model_of_its_name(size: str) -> None:
    shape = "0.6b" if "0.6b" in size else "1.7b"
    talker = config_of(SIZES[size])["talker_config"]

    widths = [talker[name] for name in ("hidden_size", "text_hidden_size")]
    predictor = talker["code_predictor_config"]["hidden_size"]
    assert released_shape(SIZES[size]) == shape
    assert config_of(SIZES[size])["tts_model_size"] == {"0.6b": "0b6", "1.7b": "1b7"}[shape]
    assert (widths[1] == 2 * widths[0], predictor == widths[0]) == ((True, True) if shape == "0.6b" else (False, False))
