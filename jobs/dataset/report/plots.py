"""The pictures of a dataset's report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.dataset.manifest import Clip
from jobs.dataset.quality.narrator_stats import DatasetProfile
from jobs.dataset.quality.quality_filter import QualityRejection
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.report.report_model import Report
from jobs.plotting.figure_files import new_figure, save_png, shorten
from jobs.plotting.spectrogram import draw_spectrogram

KEPT, DROPPED = "#2a6f97", "#d1495b"
_REASONS = ("#d1495b", "#edae49", "#8d6a9f", "#66a182", "#b07d62", "#5c677d", "#c9ada7", "#3d5a40")
_SILENCE = "#e5e5e5"
_MOST_CHAPTERS = 40
_WORDS_AT_KHZ = 11.0


def draw_chapters(path: Path, report: Report) -> None:
    """Draw a bar per chapter: kept first, then the reasons of rejections by colour, silence last."""
    chapters = report.chapters[:_MOST_CHAPTERS]
    reasons = [each.reason for each in report.reasons if each.reason != "silence" and each.length_s > 0]
    colours = {reason: _REASONS[place % len(_REASONS)] for place, reason in enumerate(reasons[: len(_REASONS) - 1])}
    longest = max((row.kept_s + row.rejected_s + row.silence_s for row in chapters), default=1.0)
    unit, name = (60.0, "minutes") if longest > 120 else (1.0, "seconds")
    figure = new_figure(9, 1.5 + 0.36 * len(chapters))
    axes = figure.add_subplot()
    left = np.zeros(len(chapters))

    def add(label: str, lengths: Sequence[float], colour: str) -> None:
        nonlocal left
        widths = np.array(lengths) / unit
        if widths.any():
            axes.barh(range(len(chapters)), widths, left=left, color=colour, label=label, height=0.7)
        left = left + widths

    add("kept", [row.kept_s for row in chapters], KEPT)
    for reason, colour in colours.items():
        add(reason, [row.reasons_s.get(reason, 0.0) for row in chapters], colour)
    add("other", [sum(n for r, n in row.reasons_s.items() if r not in colours) for row in chapters], "#999999")
    add("silence", [row.silence_s for row in chapters], _SILENCE)
    for place, row in enumerate(chapters):
        if row.kept_share is not None:
            axes.text(left[place], place, f" {row.kept_share:.0%}", va="center", fontsize=8, color="#444444")
    axes.set_yticks(range(len(chapters)), [shorten(row.title, 34) for row in chapters], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max(left.max(initial=0.0) * 1.08, 1e-3))
    axes.set_xlabel(f"{name}; the share of the speech that was kept")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=6, fontsize=8, frameon=False)
    save_png(figure, path)


def draw_histograms(
    path: Path,
    kept: Sequence[Clip],
    rejected: Sequence[tuple[Clip, QualityRejection]],
    narrator: DatasetProfile | None,
    limits: Thresholds,
) -> None:
    """Draw every measure's distribution: kept clips, clips rejected for their quality, and the limit."""
    wanted = [
        ("duration_s", "length, s", []),
        ("rate", "speaking rate, a second", _rate_limits(narrator, limits)),
        ("loudness_lufs", "loudness, LUFS", []),
        ("snr_db", "SNR, dB", [limits.min_snr_db]),
        ("bandwidth_hz", "bandwidth, Hz", [limits.min_bandwidth_hz]),
        ("sim", "SIM to the narrator", []),
        ("dnsmos_ovrl", "DNSMOS overall", []),
        ("dnsmos_bak", "DNSMOS background", []),
        ("tonality_db", "tones under the speech, dB", []),
        ("text_match", "text heard, share", [limits.min_text_match]),
        ("word_score", "score of the words", []),
    ]
    shown = [
        (name, label, marks) for name, label, marks in wanted if any(_value(row, name) is not None for row in kept)
    ]
    columns = 4
    rows = max(1, -(-len(shown) // columns))
    figure = new_figure(11, 0.5 + 2.1 * rows)
    for place, (name, label, marks) in enumerate(shown):
        axes = figure.add_subplot(rows, columns, place + 1)
        good = [value for row in kept if (value := _value(row, name)) is not None]
        bad = [value for row, _ in rejected if (value := _value(row, name)) is not None]
        edges = np.histogram_bin_edges(np.array(good + bad), bins=24)
        axes.hist([good, bad], bins=list(edges), stacked=True, color=[KEPT, DROPPED], label=["kept", "rejected"])
        for mark in marks:
            if mark is not None and edges[0] <= mark <= edges[-1]:
                axes.axvline(mark, color="#222222", linewidth=1, linestyle="--")
        axes.set_title(label, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        if place == 0:
            handles = axes.get_legend_handles_labels()
    if shown:
        figure.legend(*handles, loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    save_png(figure, path)


def draw_spectrograms(path: Path, dataset: Path, clips: Sequence[Clip]) -> None:
    """Draw the spectrograms of a few clips: each word over its time where words are aligned, else the text above."""
    figure = new_figure(11, 2.2 * max(1, len(clips)))
    for number, clip in enumerate(clips, 1):
        axes = figure.add_subplot(len(clips), 1, number)
        draw_spectrogram(axes, read_clip(dataset / clip.audio, CLIP_RATE_HZ), CLIP_RATE_HZ)
        axes.set_title(f"{clip.audio}  {'' if clip.words else shorten(clip.text, 110)}", fontsize=8, loc="left")
        for word in clip.words or []:
            axes.axvline(word.start_s, color="#ffffff", linewidth=0.6, alpha=0.7)
            middle_s, label = (word.start_s + word.end_s) / 2, shorten(word.word, 24)
            axes.text(middle_s, _WORDS_AT_KHZ, label, color="#ffffff", fontsize=7, ha="center")
    save_png(figure, path)


def _rate_limits(narrator: DatasetProfile | None, limits: Thresholds) -> list[float | None]:
    if narrator is None or not narrator.speaking_rate:
        return []
    return [ratio * narrator.speaking_rate for ratio in (limits.min_rate, limits.max_rate) if ratio is not None]


def _value(row: Clip, name: str) -> float | None:
    if name == "duration_s":
        return row.duration_s
    if name == "word_score":
        return sum(word.score for word in row.words) / len(row.words) if row.words else None
    return row.quality.get(name)
