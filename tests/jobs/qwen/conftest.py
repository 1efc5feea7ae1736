"""Toy models for the tests of ``jobs.qwen``, made once per session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.qwen.loading import load_base
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.qwen.toy.config import Shape
from jobs.qwen.train.sequence_layout import tokenise_text

TEXT = "hello there, said the quick fox"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def wandering_toy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Shape], Path]:
    """A toy base of either shape whose greedy generation visits many codes, so that a wrong shift cannot hide."""
    made: dict[str, Path] = {}

    def make(shape: Shape) -> Path:
        if shape not in made:
            folder = tmp_path_factory.mktemp("wandering") / shape
            made[shape] = make_toy_base(folder, shape=shape, codebook_size=256, weight_std=0.1)
        return made[shape]

    return make


@pytest.fixture
def load_toy(wandering_toy: Callable[[Shape], Path]) -> Callable[[Shape], Any]:
    """Load a wandering toy afresh in float32."""
    return lambda shape: load_base(wandering_toy(shape), "cpu", torch.float32)


@pytest.fixture
def generate() -> Callable[..., torch.Tensor]:
    """Upstream greedy generation of a base model with a given speaker embedding: (frames, 16) codes.

    The repetition penalty is set to 1, because it is no part of what training predicts.
    """

    def run(
        base: Any, language: str, embedding: torch.Tensor, n_frames: int = 25, instruct: torch.Tensor | None = None
    ) -> torch.Tensor:
        tail = torch.zeros(5, dtype=torch.long)  # generate cuts five ids off the end, whatever they are
        prompt = {
            "ref_code": None,
            "ref_spk_embedding": [embedding],
            "x_vector_only_mode": [True],
            "icl_mode": [False],
        }
        codes, _ = base.model.generate(
            input_ids=[torch.cat([tokenise_text(base, TEXT), tail])[None]],
            instruct_ids=[None if instruct is None else instruct[None]],
            languages=[language],
            voice_clone_prompt=prompt,
            non_streaming_mode=True,
            do_sample=False,
            subtalker_dosample=False,
            repetition_penalty=1.0,
            max_new_tokens=n_frames + 1,  # the last token gets no frame
        )
        found: torch.Tensor = codes[0]
        return found

    return run
