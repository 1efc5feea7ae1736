"""Rows that say how they are spoken: learnt by a 1.7B, refused for a 0.6B, whose instruct stock drops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.runner.worker.context import JobContext
from jobs.training import work
from jobs.training.data.manifest_scan import divide, scan_manifest
from jobs.training.params import DEFAULT_BASE, Params, check

from .conftest import CODEBOOK_SIZE

MakeParams = Callable[..., Params]
MakeContext = Callable[[], JobContext]
Write = Callable[[list[dict[str, Any]]], Path]


@pytest.fixture
def directed(coded_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, of which the first and the held-out one say how they are spoken."""
    return [{**row, "instruct": "Very calmly."} if n in (0, 4) else row for n, row in enumerate(coded_rows)]


def test_an_instruct_is_a_part_of_what_a_1_7b_learns(
    directed: list[dict[str, Any]], write_manifest: Write, make_params: MakeParams, make_context: MakeContext,
    coded_rows: list[dict[str, Any]], tmp_path: Path,
) -> None:  # fmt: skip
    base = make_toy_base(tmp_path / "large", shape="1.7b", codebook_size=CODEBOOK_SIZE)
    losses = []
    for number, rows in enumerate((coded_rows, directed)):
        params = make_params(base_model=str(base), max_steps=1, out_dir=str(tmp_path / f"out{number}"))
        write_manifest(rows)
        losses.append(work.run(params, make_context()).validation_loss)

    assert losses[0] is not None
    assert losses[1] is not None
    assert losses[0] != losses[1]


def test_an_instruct_for_a_0_6b_is_refused_by_name_and_by_the_models_files(
    directed: list[dict[str, Any]], write_manifest: Write, make_params: MakeParams, make_context: MakeContext
) -> None:
    params = make_params()
    write_manifest(directed)
    codes = []
    for refuse in (
        lambda: check(params),
        lambda: check(params.model_copy(update={"base_model": DEFAULT_BASE})),
        lambda: work.run(params, make_context()),
    ):
        with pytest.raises(UserError) as refused:
            refuse()
        codes.append(refused.value.code)

    assert codes == ["instruct_not_supported"] * 3


def test_an_instruct_counts_in_the_estimated_length(directed: list[dict[str, Any]], write_manifest: Write) -> None:
    sizes = [clip.size for clip in divide(scan_manifest(write_manifest(directed)).clips, 0.0)[0]]

    assert sizes[0].n_characters == len("hello there") + len("Very calmly.") + 15
    assert sizes[1].n_characters == len("the quick brown fox")
