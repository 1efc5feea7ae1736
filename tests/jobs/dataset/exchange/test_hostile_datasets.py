"""Datasets of strangers: nothing is run, nothing outside is read, and a small file stays small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

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


def test_cuts_that_repeat_a_recording_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file of silence and a list of its cuts would fill the disk."""
    monkeypatch.setattr("jobs.dataset.write_budget.ALWAYS_BYTES", 1_000_000)
    soundfile.write(tmp_path / "s.flac", np.zeros(10 * 24_000, np.int16), 24_000)
    recording = {"sources": [{"type": "file", "channels": [0], "source": "s.flac"}]}
    cuts = [
        {"id": str(number), "start": 0, "duration": 10, "supervisions": [{"text": "a"}], "recording": recording}
        for number in range(100)
    ]
    (tmp_path / "cuts.jsonl").write_text("".join(json.dumps(cut) + "\n" for cut in cuts))

    with pytest.raises(UserError, match="than they hold") as caught:
        read(tmp_path / "cuts.jsonl", tmp_path / "scratch")

    assert caught.value.code == "limit_reached"
    assert sum(path.stat().st_size for path in (tmp_path / "scratch").iterdir()) < 3_000_000


def read_all(transcripts: Path) -> None:
    """Read a dataset for ``measure``."""
    read(transcripts, transcripts.parent / "scratch")


def test_all_of_them_cost_little() -> None:
    costs = measure("tests.support.hostile.datasets.foreign_datasets:BUILDERS", f"{__name__}:read_all")

    assert len(costs) == len(REJECTED) + len(REFUSED)
    for cost in costs:
        assert cost.cpu_s < MOST_S, cost
        assert cost.peak_bytes < MOST_BYTES, cost
