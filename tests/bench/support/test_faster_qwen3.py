"""faster-qwen3-tts is measured by another Python; here by this one, with a package of the same calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bench.support.faster_qwen3 import measure_faster

PACKAGE = """
import numpy as np
class FasterQwen3TTS:
    @classmethod
    def from_pretrained(cls, model_name, device="cuda", dtype=None, max_seq_len=2048):
        return cls()
    def generate_custom_voice(self, text, speaker, language, {first}max_new_tokens=2048):
        return [np.zeros(1920 * max_new_tokens, np.float32)], 24000
    def generate_custom_voice_streaming(self, text, speaker, language, max_new_tokens=2048, chunk_size=12):
        for _ in range(0, max_new_tokens, chunk_size):
            yield np.zeros(1920 * chunk_size, np.float32), 24000, {{}}
"""


def measure(folder: Path, device: str, monkeypatch: pytest.MonkeyPatch, first: str = "") -> dict[str, Any]:
    """Measure with a package in the way of the other Python."""
    packages = folder / "packages"
    described = packages / "faster_qwen3_tts-0.3.2.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: faster-qwen3-tts\nVersion: 0.3.2\n")
    (packages / "faster_qwen3_tts.py").write_text(PACKAGE.format(first=first))
    monkeypatch.setenv("PYTHONPATH", str(packages))
    return measure_faster(
        Path(sys.executable), folder, ["a text"], device=device, dtype="bfloat16", n_frames=10, stream_frames=24,
        rounds=2,
    )  # fmt: skip


def test_rates_and_streams_come_back_from_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure(tmp_path, "cuda", monkeypatch)

    assert found["version"] == "0.3.2"
    assert found["frames_per_s"] > 0
    assert sorted(found["stream"]) == ["12", "2"]


def test_a_cpu_is_skipped_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "CUDA" in measure(tmp_path, "cpu", monkeypatch)["skipped"]


def test_a_package_with_other_calls_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "TypeError" in measure(tmp_path, "cpu", monkeypatch, first="model_id, ")["failed"]
