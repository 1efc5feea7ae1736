"""Previews of a sound and a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from jobs.plotting.pictures import histogram, spectrogram


def test_a_tone_is_loudest_at_its_frequency(tmp_path: Path) -> None:
    times_s = np.arange(24_000) / 24_000
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 3000 * times_s), 24_000)

    [image] = spectrogram(tmp_path / "a.wav", "a tone").axes[0].images

    levels = np.asarray(image.get_array())
    loudest_hz = levels.mean(axis=1).argmax() * 24_000 / 1024
    assert abs(loudest_hz - 3000) < 24_000 / 1024


def test_a_sound_shorter_than_a_window_is_drawn(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 24_000)

    assert spectrogram(tmp_path / "a.wav", "short").axes[0].images


def test_a_manifest_is_the_histogram_of_its_lengths(tmp_path: Path) -> None:
    rows = [{"audio": "a", "text": "t", "duration_s": length} for length in (1.0, 1.0, 4.0)]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    axes = histogram(tmp_path / "m.jsonl", "clips").axes[0]

    assert sum(bar.get_height() for bar in axes.patches) == 3
    assert axes.get_title() == "clips: 3 clips, 0.1 minutes"
