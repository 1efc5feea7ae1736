"""Pictures of a rating: ``ratings.png`` and a spectrogram of every take."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.plotting import spectrogram
from jobs.plotting.figure_files import new_figure, save_png, shorten
from jobs.rate_samples.params import AnchorSummary, Rating
from jobs.rating.scoring import AUTOMATIC_CAP, WEIGHTS

_BAR_COLOURS = {"intelligibility": "#4c78a8", "voice": "#f58518", "sound": "#54a24b", "timing": "#b279a2"}

_ANCHOR_COLOURS = {"narrator": "#2a7f2a", "other_speaker": "#b00020", "zero_shot": "#6a3d9a"}


def draw_ratings(path: Path, ratings: Sequence[Rating], anchors: Mapping[str, AnchorSummary | None]) -> None:
    """Draw every take's rating as a bar, its parts as dots (part 0 is 1, part 1 is 5), the anchors as lines."""
    rows = range(len(ratings))
    figure = new_figure(9, 1.6 + 0.32 * len(ratings))
    axes = figure.add_subplot()
    axes.barh(rows, [(rating.rating or 1) - 1 for rating in ratings], left=1, color="#d9d9d9", label="rating")
    for row, rating in zip(rows, ratings, strict=True):
        shown = "too short" if rating.rating is None else f"{rating.rating:.1f}"
        axes.text(1.02, row, shown, va="center", fontsize=7)
    for offset, part in enumerate(WEIGHTS):
        known = [(row, value) for row in rows if (value := getattr(ratings[row], part)) is not None]
        axes.scatter(
            [1 + 4 * value for _, value in known],
            [row + 0.15 * (offset - 1.5) for row, _ in known],
            s=14,
            color=_BAR_COLOURS[part],
            label=part,
            zorder=3,
        )
    axes.axvline(AUTOMATIC_CAP, color="#888888", linewidth=0.8, linestyle="--")
    for name, anchor in anchors.items():
        if anchor is not None:
            axes.axvspan(anchor.low, anchor.high, color=_ANCHOR_COLOURS[name], alpha=0.12, linewidth=0)
            label = name.replace("_", " ")
            axes.axvline(anchor.mean, color=_ANCHOR_COLOURS[name], linewidth=1.2, label=label)
    axes.set_yticks(rows, [shorten(rating.phrase, 40) for rating in ratings], fontsize=8)
    axes.set_ylim(len(ratings) - 0.4, -0.6)
    axes.set_xlim(0.95, 5.05)
    axes.set_xlabel(f"automatic rating, 1 to 5 (dashed: its maximum, {AUTOMATIC_CAP})")
    figure.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    save_png(figure, path, dpi=110)


def spectrogram_path(audio: str) -> str:
    """Return the path of the spectrogram of a take or an anchor's clip, relative to the ratings' folder."""
    return f"spectrograms/{audio.replace('/', '-').rsplit('.', 1)[0]}.png"


def draw_spectrogram(path: Path, audio: Samples) -> None:
    """Draw the spectrogram of a clip at 24 kHz."""
    figure = new_figure(6, 1.6)
    spectrogram.draw_spectrogram(figure.add_subplot(), audio, CLIP_RATE_HZ)
    save_png(figure, path, dpi=90)
