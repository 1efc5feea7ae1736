"""The speaker embedding: upstream's figure, averaged over the reference clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from jobs.errors import UserError
from jobs.qwen.export import write_voice
from jobs.qwen.speaker_embedding import speaker_embedding
from jobs.qwen.toy.config import Shape

RATE_HZ = 24_000


@pytest.fixture
def references(tmp_path: Path) -> list[Path]:
    """A second of 200 Hz and a second and a half of 300 Hz."""
    paths = []
    for pitch_hz, duration_s in ((200, 1.0), (300, 1.5)):
        times = np.arange(int(RATE_HZ * duration_s)) / RATE_HZ
        paths.append(tmp_path / f"{pitch_hz}.wav")
        soundfile.write(paths[-1], 0.1 * np.sin(2 * np.pi * pitch_hz * times), RATE_HZ, subtype="FLOAT")
    return paths


def test_the_embedding_is_the_mean_of_stocks_over_the_references(
    load_toy: Callable[[Shape], Any], wandering_toy: Callable[[Shape], Path], references: list[Path]
) -> None:
    model = load_toy("0.6b").model
    upstream = [
        model.extract_speaker_embedding(soundfile.read(path, dtype="float32")[0], RATE_HZ) for path in references
    ]

    found = speaker_embedding(wandering_toy("0.6b"), model.config, "slt", references)

    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.stack(upstream).mean(0).clone(), rtol=1e-5, atol=1e-6)


def test_a_reference_of_a_tenth_of_a_second_is_refused(
    load_toy: Callable[[Shape], Any], wandering_toy: Callable[[Shape], Path], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "short.wav", np.zeros(2400), RATE_HZ)

    with pytest.raises(UserError, match=r"0\.10 s") as refused:
        speaker_embedding(wandering_toy("0.6b"), load_toy("0.6b").model.config, "slt", [tmp_path / "short.wav"])

    assert refused.value.code == "reference_too_short"


def test_a_voice_without_encoder_knows_only_its_own_speakers(
    load_toy: Callable[[Shape], Any], wandering_toy: Callable[[Shape], Path], references: list[Path], tmp_path: Path
) -> None:
    model = load_toy("0.6b").model
    voice = write_voice(model, wandering_toy("0.6b"), tmp_path / "voice", voices={"slt": torch.zeros(64)}, card={})
    (voice / "speaker_encoder.safetensors").unlink()

    with pytest.raises(UserError, match=r"'awb' \(it has: none\)") as refused:
        speaker_embedding(voice, model.config, "awb", references)

    assert refused.value.code == "speaker_encoder_missing"


def test_references_that_cannot_be_used_are_left_out_and_logged(
    load_toy: Callable[[Shape], Any],
    wandering_toy: Callable[[Shape], Path],
    references: list[Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = np.full(RATE_HZ, np.nan, np.float32)
    soundfile.write(tmp_path / "broken.wav", broken, RATE_HZ, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no sound")
    config = load_toy("0.6b").model.config
    bad = [tmp_path / "broken.wav", tmp_path / "text.wav", tmp_path / "missing.wav"]

    with_bad = speaker_embedding(wandering_toy("0.6b"), config, "slt", [*bad, *references])

    assert torch.equal(with_bad, speaker_embedding(wandering_toy("0.6b"), config, "slt", references))
    assert all(f"reference {path} is not used" in caplog.text for path in bad)
    with pytest.raises(UserError):
        speaker_embedding(wandering_toy("0.6b"), config, "slt", bad)
