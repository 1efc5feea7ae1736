"""Places that a confined process can write beside its output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jobs.runner.machine.sandbox import DEVICES, library_caches
from jobs.settings import Settings


def test_compiled_code_of_cuda_has_a_place_that_can_be_written(settings: Settings, tmp_path: Path) -> None:
    caches = library_caches(replace(settings, torch_cache=tmp_path / "torch"))

    assert caches["CUDA_CACHE_PATH"] == tmp_path / "torch" / "cuda"


def test_gpus_of_every_maker_and_of_wsl_are_devices() -> None:
    assert {"dri", "dxg", "kfd"} <= set(DEVICES)
