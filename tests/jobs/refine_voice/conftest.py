"""Loops of a toy that makes sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.refine_voice.params import Params

TEXTS = ["the fox ran home with the dog", "would you rather have tea now"]


@pytest.fixture
def make(sounding_base: Path, sounding_manifest: Path, tmp_path: Path) -> Callable[..., Params]:
    """Parameters of a loop of rounds of two steps; keywords replace them."""

    def params(**changes: Any) -> Params:
        given = {"manifest": str(sounding_manifest), "base_model": str(sounding_base), "steps_per_iteration": 2,
                 "out_dir": str(tmp_path / "refined"), "texts": TEXTS, "takes_per_text": 1, "anchor_clips": 0,
                 "training": {"lr": 1e-3, "batch_size": 4}}  # fmt: skip
        return Params.model_validate({**given, **changes})

    return params
