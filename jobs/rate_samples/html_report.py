"""``report.html`` of a rating and its plots: verdict, comparison with anchors, takes to listen to, human ratings."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.model_folders.voice_names import name_model
from jobs.rate_samples.params import Interval, Rating, Result
from jobs.rate_samples.people import describe_people
from jobs.rate_samples.plots import spectrogram_path
from jobs.rate_samples.results import RatingResults, rank_voices
from jobs.rating.bradley_terry import MOST_IN_PAIRS, strengths
from jobs.rating.human_ratings import Opinions, preferences
from jobs.rating.scoring import AUTOMATIC_CAP
from jobs.reports import embed_picture
from jobs.reports import write_page as render_page

_ANCHORS = {
    "narrator": "Narrator's held-out clips (upper bound)",
    "other_speaker": "Another speaker (lower bound)",
    "zero_shot": "Clone without training",
}
_PARTS = ("intelligibility", "voice", "sound", "timing")


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
        agreement=describe_people(rated.people),
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
    rows += [
        (f"Voice {name_model(voice.model)}", voice.mean, _interval(voice), voice.n_takes, "")
        for voice in rank_voices(rated.ratings)
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
    """Rows of every two voices; of more than two, also where each stands among all (Bradley-Terry)."""
    ranked = strengths(opinions.votes)
    rows = [
        [
            f"{name_model(one.model) or 'these takes'} preferred to {name_model(one.against_model) or 'the others'}",
            f"{one.share:.0%}",
            f"{one.low:.0%} to {one.high:.0%}",
            f"{one.n_votes} votes, {one.n_blind} of them blind, {one.n_ties} ties (half a win each)",
        ]
        for one in preferences(opinions.votes)
    ]
    if len(ranked) > MOST_IN_PAIRS:
        rows += [
            [
                f"{name_model(one.model) or 'these takes'} among all voices, log odds",
                f"{one.strength:+.2f}",
                f"{one.low:+.2f} to {one.high:+.2f}",
                f"{one.n_votes} votes, Bradley-Terry",
            ]
            for one in ranked
        ]
    return rows
