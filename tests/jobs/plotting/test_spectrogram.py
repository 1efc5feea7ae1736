"""The spectrogram: a click and a tone are where they belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from jobs.plotting.figure_files import new_figure, save_png, shorten
from jobs.plotting.spectrogram import FFT_SIZE, HOP_S, compute_levels_db, draw_spectrogram


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100])
def test_a_tone_and_a_click_are_shown_at_their_frequency_and_time(rate_hz: int) -> None:
    times_s = np.arange(rate_hz) / rate_hz
    tone = np.sin(2 * np.pi * 3000 * times_s)
    click = np.zeros(rate_hz)
    click[rate_hz // 2] = 1.0

    loudest_hz = compute_levels_db(tone, rate_hz).mean(axis=1).argmax() * rate_hz / FFT_SIZE
    loudest_s = compute_levels_db(click, rate_hz).mean(axis=0).argmax() * round(HOP_S * rate_hz) / rate_hz

    assert abs(loudest_hz - 3000) < rate_hz / FFT_SIZE
    assert abs(loudest_s - 0.5) <= HOP_S / 2


@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_very_short_audio_is_drawn(n_samples: int) -> None:
    axes = Figure().add_subplot()

    draw_spectrogram(axes, np.zeros(n_samples), 24_000)

    assert axes.images


def test_the_picture_ends_at_12_khz() -> None:
    axes = Figure().add_subplot()

    draw_spectrogram(axes, np.zeros(48_000), 48_000)

    assert axes.get_ylim() == (0.0, 12.0)


def test_names_of_strangers_are_drawn_as_they_are_and_no_formulas(tmp_path: Path) -> None:
    figure = new_figure(2, 1)
    figure.add_subplot().set_title(r"clips/$\frac{$.wav")

    save_png(figure, tmp_path / "drawn.png")

    assert (tmp_path / "drawn.png").read_bytes()[:4] == b"\x89PNG"


def test_a_label_is_one_line() -> None:
    assert shorten("five\n$5  and \\more", 12) == "five $5 and…"
    assert shorten("short", 12) == "short"
