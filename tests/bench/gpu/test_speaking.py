"""Speech and upstream in ``./run.sh bench gpu``: what a graph must repeat, the codec's size, what has no room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.gpu.parts import speaking, upstream
from bench.gpu.support.case import Setting
from bench.gpu.support.released_codec import random_codec


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting("cpu", tiny=True, folder=tmp_path)


def test_a_graph_that_makes_other_codes_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(model: Any, setting: Setting, n_texts: int, n_frames: int) -> speaking.Spoken:
        spoken = by_loop(model, setting, n_texts, n_frames)
        return replace(spoken, codes=spoken.codes[:1].expand_as(spoken.codes))

    by_loop = speaking._by_loop
    found = [speaking._graph(setting, "tiny", 2)]
    monkeypatch.setattr(speaking, "_by_loop", stale)
    found.append(speaking._graph(setting, "tiny", 2))

    assert [each.verdict for each in found] == ["good", "wrong"]


def test_a_loop_that_records_no_frame_on_a_gpu_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "record_on", lambda _: object())  # as on a GPU
    model = speaking._model(setting, "tiny")

    with pytest.raises(RuntimeError, match="no frame could be recorded"):
        speaking._by_loop(model, setting, 1, 2)


def test_the_codec_of_a_stream_has_the_released_size() -> None:
    codec = random_codec("meta")

    assert round(sum(weight.numel() for weight in codec.model.decoder.parameters()) / 1e6, 1) == 114.3
    assert round(sum(weight.numel() for weight in codec.model.encoder.parameters()) / 1e6, 1) == 39.4


def test_upstream_beside_ours_is_left_out_where_both_do_not_fit(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "free_memory", lambda _: 20e9)
    released = replace(setting, tiny=False, upstream=setting.folder)

    found = {case.name: case.measure() for case in upstream.cases(released)}

    assert {name: each.verdict for name, each in found.items()} == {
        "0.6b full, batch 2": "left out", "1.7b full, batch 2": "left out",
    }  # fmt: skip
    assert "20.0 GB are free" in found["0.6b full, batch 2"].says
