"""A tiny voice that speaks noise, a book of two chapters, and parameters to narrate it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.narrate.params import Params
from tests.support.toy.noise_voice import make_noise_voice

BOOK = """---
title: Two Birds
author: A. Writer
---
# Chapter I: The Crow

A thirsty crow found a pitcher. There was only a little water in it, so the bird had to think.[^1]

"Will it rise?" the crow asked; and it did.

[^1]: A note that nobody reads.

# Chapter II: The Hen

Ms. Frobisher kept a hen, and the hen laid an egg on each day of the year.
"""


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_noise_voice(tmp_path_factory.mktemp("models"))


@pytest.fixture
def make_params(voice: Path, tmp_path: Path) -> Callable[..., Params]:
    """Make parameters of a narration of ``BOOK`` that speaks a second for each passage."""
    text = tmp_path / "birds.md"
    text.write_text(BOOK)

    def make(**changes: object) -> Params:
        given = {"model": str(voice), "text": str(text), "out_dir": str(tmp_path / "out"), "language": "english",
                 "longest_passage_s": 0.8, "checks": "ends", "respeak": 0, **changes}  # fmt: skip
        return Params.model_validate(given)

    return make
