"""Datasets of strangers: nothing is run, nothing outside is read, and a small file stays small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.exchange.foreign_clips import ForeignClip
from jobs.dataset.exchange.importers import take
from jobs.dataset.manifest import RejectionError
from jobs.errors import UserError
from jobs.ingest_clips.params import layout_of
from tests.support.hostile.datasets.foreign_datasets import RAN, REFUSED, REJECTED
from tests.support.hostile.limits import MOST_BYTES, MOST_S
from tests.support.hostile.measuring import measure

CODES = {"dataset_unreadable", "path_outside_dataset", "file_not_regular", "line_too_long"}


def read(transcripts: Path, scratch: Path, **options: Any) -> list[ForeignClip]:
    layout = layout_of(transcripts)
    assert layout != "jsonl"
    return list(take(layout, transcripts, scratch, **options))


@pytest.mark.parametrize("name", REJECTED)
def test_no_clip_of_it_is_taken_and_nothing_is_run(name: str, tmp_path: Path) -> None:
    dataset = REJECTED[name](tmp_path)

    found = read(dataset, tmp_path / "scratch")

    assert found
    assert all(isinstance(clip.sound, RejectionError) for clip in found)
    assert not (tmp_path / RAN).exists()
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_as_a_whole(name: str, tmp_path: Path) -> None:
    dataset = REFUSED[name](tmp_path)

    with pytest.raises(UserError) as caught:
        read(dataset, tmp_path / "scratch")

    assert caught.value.code in CODES
    assert len(caught.value.message) < 1_000
    assert not (tmp_path / "scratch").exists()


def read_all(transcripts: Path) -> None:
    """Read a dataset for ``measure``."""
    read(transcripts, transcripts.parent / "scratch")


def test_all_of_them_cost_little() -> None:
    costs = measure("tests.support.hostile.datasets.foreign_datasets:BUILDERS", f"{__name__}:read_all")

    assert len(costs) == len(REJECTED) + len(REFUSED)
    for cost in costs:
        assert cost.cpu_s < MOST_S, cost
        assert cost.peak_bytes < MOST_BYTES, cost
