"""``ratings.json`` and ``ratings.png``: every take with its parts and reasons, and what the rating cannot hear."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure

from jobs.files import write_json
from jobs.rate_samples.instruments import RECOGNISER
from jobs.rate_samples.spec import Rating, Result
from jobs.speech.mos import PREDICTOR
from jobs.speech.narrator import Profile
from jobs.speech.rating import AUTOMATIC_CAP, VERSION, WEIGHTS
from jobs.speech.similarity import ENCODER

CAVEAT = (
    f"Automatic: no fault that these instruments hear is not 'as good as the narrator', so it is shown as at most "
    f"{AUTOMATIC_CAP} until a person has listened. Nothing here hears stress, phrasing, emotion, a mispronounced name, "
    "a wrong homophone, breath and mouth noise, a slight metallic colour or a drifting accent; one wrong word in "
    "twenty is barely seen; a similar narrator of the same sex may pass for the voice."
)
_BAR_COLOURS = {"intelligibility": "#4c78a8", "voice": "#f58518", "sound": "#54a24b", "timing": "#b279a2"}


def summarise(ratings: Sequence[Rating], out: Path, plot: Path) -> Result:
    """What the job answers with."""
    best = max(ratings, key=lambda rating: rating.uncapped)
    compared = [heard for rating in ratings if (heard := rating.measures.get("text_heard")) is not None]
    return Result(
        ratings=str(out),
        n_takes=len(ratings),
        mean_rating=round(fmean(rating.rating for rating in ratings), 2),
        mean_uncapped=round(fmean(rating.uncapped for rating in ratings), 2),
        worst_rating=min(rating.rating for rating in ratings),
        best_take=best.audio,
        common_reasons=dict(Counter(fault for rating in ratings for fault in rating.faults).most_common()),
        n_text_heard=int(sum(compared)),
        n_text_compared=len(compared),
        plot=str(plot),
        caveat=CAVEAT,
    )


def write_report(out: Path, ratings: Sequence[Rating], profiles: Mapping[str, Profile], result: Result) -> None:
    """Write ``ratings.json`` under a temporary name, flush it to disk, rename it."""
    report = {
        "format": "tts-train ratings 1",
        "rating_version": VERSION,
        "caveat": CAVEAT,
        "automatic_cap": AUTOMATIC_CAP,
        "instruments": {"speaker_encoder": ENCODER, "mos_predictor": PREDICTOR, "recogniser": RECOGNISER},
        "narrators": {speaker: asdict(profile) for speaker, profile in profiles.items()},
        "summary": result.model_dump(exclude={"caveat", "ratings"}),
        "takes": [rating.model_dump() for rating in ratings],
    }
    write_json(out, report)


def draw(path: Path, ratings: Sequence[Rating]) -> None:
    """Draw every take's rating as a bar and its parts as dots on the same scale (part 0 is 1, part 1 is 5)."""
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
    axes.set_yticks(rows, [_label(rating.text) for rating in ratings], fontsize=8)
    axes.set_ylim(len(ratings) - 0.4, -0.6)
    axes.set_xlim(0.95, 5.05)
    axes.set_xlabel(f"automatic rating, 1 to 5 (dashed: the most it may give, {AUTOMATIC_CAP})")
    figure.legend(loc="outside upper center", ncols=5, fontsize=8, frameon=False)
    temporary = path.with_name(path.name + ".tmp")
    figure.savefig(temporary, format="png", dpi=110)
    temporary.rename(path)


def _label(text: str) -> str:
    plain = re.sub(r"[$\\\s]+", " ", text).strip()  # $ would start a formula
    return plain if len(plain) <= 40 else plain[:39] + "…"
