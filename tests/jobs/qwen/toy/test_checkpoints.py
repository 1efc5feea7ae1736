"""Toy checkpoints have the released shapes, and do not change the global random state."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from jobs.qwen.toy.checkpoints import make_toy_base, speaking_toy
from jobs.qwen.toy.config import Shape


def test_the_06b_shape_has_wider_text_and_no_projection_before_the_predictor(
    load_toy: Callable[[Shape], Any],
) -> None:
    talker = load_toy("0.6b").model.talker

    assert talker.text_projection.linear_fc1.in_features == 96
    assert talker.text_projection.linear_fc2.out_features == 64
    assert isinstance(talker.code_predictor.small_to_mtp_projection, torch.nn.Identity)


def test_the_17b_shape_has_equal_widths_and_a_projection_before_the_predictor(
    load_toy: Callable[[Shape], Any],
) -> None:
    talker = load_toy("1.7b").model.talker

    assert talker.text_projection.linear_fc1.in_features == talker.text_projection.linear_fc2.out_features == 64
    assert talker.code_predictor.small_to_mtp_projection.out_features == 48


def test_control_ids_and_speaker_rows_lie_above_the_codes(load_toy: Callable[[Shape], Any]) -> None:
    config = load_toy("0.6b").model.config.talker_config

    assert config.vocab_size == 256 + 1024
    assert config.codec_eos_token_id == 358
    assert min(config.codec_language_id.values()) > 256


def test_the_same_seed_makes_the_same_weights_and_the_dice_stay(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)

    torch.manual_seed(5)
    first = load_file(make_toy_base(tmp_path / "a", shape="0.6b", codebook_size=64, seed=1) / "model.safetensors")
    thrown = torch.rand(2)
    second = load_file(make_toy_base(tmp_path / "b", shape="0.6b", codebook_size=64, seed=1) / "model.safetensors")
    other = load_file(make_toy_base(tmp_path / "c", shape="0.6b", codebook_size=64, seed=2) / "model.safetensors")

    assert torch.equal(thrown, expected)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    name = "talker.codec_head.weight"
    assert not torch.equal(first[name], other[name])


def test_two_processes_that_ask_for_the_speaking_toy_at_once_get_the_same(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as processes:
        found = list(processes.map(speaking_toy, [tmp_path] * 2))

    assert found[0] == found[1]
    assert [path.name for path in (tmp_path / "models").iterdir()] == [found[0].name]
    assert (found[0] / "model.safetensors").is_file()
