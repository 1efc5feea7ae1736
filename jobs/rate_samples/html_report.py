"""``report.html`` of a rating and its plots: verdict, comparison with anchors, takes to listen to, human ratings."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.plotting import spectrogram
from jobs.plotting.figures import save_png, shorten
from jobs.rate_samples.params import AnchorSummary, Interval, Rating, Result
from jobs.rate_samples.results import RatingResults
from jobs.rating.human_ratings import Opinions, preferences
from jobs.rating.scoring import AUTOMATIC_CAP, WEIGHTS
from jobs.reports import embed_picture
from jobs.reports import write_page as render_page

_ANCHORS = {
    "narrator": "Narrator's held-out clips (upper bound)",
    "other_speaker": "Another speaker (lower bound)",
    "zero_shot": "Clone without training",
}
_PARTS = ("intelligibility", "voice", "sound", "timing")
_BAR_COLOURS = {"intelligibility": "#4c78a8", "voice": "#f58518", "sound": "#54a24b", "timing": "#b279a2"}
_ANCHOR_COLOURS = {"narrator": "#2a7f2a", "other_speaker": "#b00020", "zero_shot": "#6a3d9a"}


def write_page(path: Path, rated: RatingResults, result: Result, audio_of: Mapping[str, str]) -> None:
    """Write the page beside ``ratings.png`` and ``spectrograms/``.

    ``audio_of``: path of each take and anchor relative to the page, by its name in ``ratings.json``.
    """

    def takes(ratings: Iterable[Rating]) -> list[dict[str, Any]]:
        return [_take(rating, path.parent, audio_of[rating.audio]) for rating in ratings]

    render_page(
        path,
        "rating",
        verdict=result.verdict,
        caveat=result.caveat,
        comparison=_comparison(rated),
        plot=embed_picture(Path(result.plot)),
        rated=takes(rated.ratings),
        cap=AUTOMATIC_CAP,
        scores=_scores(rated.opinions),
        preferences=_preferences(rated.opinions),
        anchors=[(_ANCHORS[name], takes(found)) for name, found in rated.anchors.items() if found],
        models=[
            *([name.replace("_", " "), model] for name, model in rated.model_names().items()),
            *([f"voice thresholds of {speaker}", one.source] for speaker, one in rated.limits.items()),
        ],
    )


def _comparison(rated: RatingResults) -> list[tuple[str, float | None, str, int, str]]:
    summary = rated.summary()
    shown = f"shown with the cap of {AUTOMATIC_CAP}: {summary.shown.mean:.2f}"
    rows: list[tuple[str, float | None, str, int, str]] = [
        (f"These takes ({summary.n_texts} texts)", summary.mean, _interval(summary), summary.n_takes, shown)
    ]
    for name, one in rated.anchor_summaries().items():
        if one is None:
            rows.append((_ANCHORS[name], None, "–", 0, rated.anchor_notes[name]))
        else:
            rows.append((_ANCHORS[name], one.mean, _interval(one), one.n, one.note))
    return rows


def _interval(interval: Interval) -> str:
    return f"{interval.low:.2f} to {interval.high:.2f}"


def _take(rating: Rating, folder: Path, source: str) -> dict[str, Any]:
    spectrogram = spectrogram_path(rating.audio)
    return {
        **rating.model_dump(),
        "source": source,
        "spectrogram": spectrogram if (folder / spectrogram).is_file() else None,
        "parts": [(part, getattr(rating, part)) for part in _PARTS],
        "utmos": rating.measures.get("utmosv2"),
    }


def _scores(opinions: Opinions) -> list[list[str]]:
    return [
        [
            str(one.score),
            Path(one.audio).name,
            one.note,
            one.who,
            f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M}",
        ]
        for one in opinions.scores
    ]


def _preferences(opinions: Opinions) -> list[list[str]]:
    return [
        [
            f"{one.model or 'these takes'} preferred to {one.against_model or 'the others'}",
            f"{one.share:.0%}",
            f"{one.low:.0%} to {one.high:.0%}",
            f"{one.n_votes} votes, {one.n_blind} of them blind, {one.n_ties} ties (half a win each)",
        ]
        for one in preferences(opinions.votes)
    ]


def draw_ratings(path: Path, ratings: Sequence[Rating], anchors: Mapping[str, AnchorSummary | None]) -> None:
    """Draw every take's rating as a bar, its parts as dots (part 0 is 1, part 1 is 5), the anchors as lines."""
    rows = range(len(ratings))
    figure = Figure(figsize=(9, 1.6 + 0.32 * len(ratings)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(rows, [rating.rating - 1 for rating in ratings], left=1, color="#d9d9d9", label="rating")
    for row, rating in zip(rows, ratings, strict=True):
        axes.text(1.02, row, f"{rating.rating:.1f}", va="center", fontsize=7)
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
    axes.set_yticks(rows, [shorten(rating.text, 40) for rating in ratings], fontsize=8)
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
    figure = Figure(figsize=(6, 1.6), layout="constrained")
    spectrogram.draw_spectrogram(figure.add_subplot(), audio, CLIP_RATE_HZ)
    save_png(figure, path, dpi=90)
