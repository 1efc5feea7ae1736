"""Spectrograms of clips, with the words over them once they are aligned."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.dataset.manifest import Clip

_SPECTRUM, _HOP = 1024, 240
_TOP_HZ, _RANGE_DB = 8000, 70


def draw_spectrograms(path: Path, dataset: Path, clips: Sequence[Clip]) -> None:
    """Spectrograms of a few clips, with each word over its time where words have been aligned, else with the text."""
    figure = Figure(figsize=(11, 2.2 * max(1, len(clips))), layout="constrained")
    for place, clip in enumerate(clips):
        axes = figure.add_subplot(len(clips), 1, place + 1)
        samples = read_clip(dataset / clip.audio, CLIP_RATE_HZ)
        frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, _SPECTRUM // 2), _SPECTRUM)[::_HOP]
        power = np.abs(np.fft.rfft(frames * np.hanning(_SPECTRUM), axis=1)) ** 2
        level = 10 * np.log10(power.T + 1e-12)
        top = round(_TOP_HZ * _SPECTRUM / CLIP_RATE_HZ)
        length_s = len(samples) / CLIP_RATE_HZ
        axes.imshow(
            level[:top], origin="lower", aspect="auto", cmap="magma", extent=(0, length_s, 0, _TOP_HZ / 1000),
            vmin=level.max() - _RANGE_DB, vmax=level.max(),
        )  # fmt: skip
        axes.set_title(f"{clip.audio}  {'' if clip.words else plain(clip.text, 110)}", fontsize=8, loc="left")
        for word in clip.words or []:
            axes.axvline(word.start_s, color="#ffffff", linewidth=0.6, alpha=0.7)
            axes.text(
                (word.start_s + word.end_s) / 2, 7.4, plain(word.word, 24), color="#ffffff", fontsize=7, ha="center"
            )
        axes.set_ylabel("kHz", fontsize=8)
        axes.tick_params(labelsize=7)
    save(figure, path)


def image(path: Path, about: str) -> str:
    """A picture within a page."""
    return f'<img alt="{escape(about)}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">'


def plain(text: str, longest: int) -> str:
    """Text for a picture, on one line and cut to a length."""
    plain = re.sub(r"[$\\\s]+", " ", text).strip()  # $ would start a formula
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def save(figure: Figure, path: Path) -> None:
    """Write a PNG under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    figure.savefig(temporary, format="png", dpi=100)
    temporary.replace(path)
