"""Opinions of people on the rated takes: their agreement with the rating, and a model of them over the instruments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from jobs.rate_samples.params import Rating
from jobs.rating.calibration import MIN_OPINIONS, Calibration, Judgement, calibrate
from jobs.rating.human_ratings import Opinions, last_votes
from jobs.rating.ratings_file import find_rated_takes
from jobs.rating.vote_agreement import Agreement, ScoreAgreement, compare_scores, compare_with_ratings

_PARTS = ("uncapped", "intelligibility", "voice", "sound", "timing")
_MEASURES = ("sim", "dnsmos_ovrl", "dnsmos_p808", "word_error_rate")
Features = dict[str, float | None]


@dataclass(frozen=True)
class People:
    """People and the rating. ``votes`` and ``scores`` are None where there are none of rated takes.

    ``calibration`` is None with fewer than ``MIN_OPINIONS`` scores and votes, or several narrators.
    """

    votes: Agreement | None = None
    scores: ScoreAgreement | None = None
    calibration: Calibration | None = None


def hear_people(ratings: Sequence[Rating], opinions: Opinions, folder: Path, n_narrators: int = 1) -> People:
    """Compare the ratings of a folder's takes with what people said of them, and model it."""
    fresh = {(folder / each.audio).resolve(): each.uncapped for each in ratings}
    scored = [each for each in ratings if each.person is not None and each.uncapped is not None]
    scores = compare_scores(
        [each.person for each in scored if each.person is not None],
        [each.uncapped for each in scored if each.uncapped is not None],
    )
    return People(
        compare_with_ratings({folder: opinions.votes}, fresh) if opinions.votes else None,
        scores if scored else None,
        _model(ratings, opinions, folder) if n_narrators == 1 else None,
    )


def calibrated(ratings: Sequence[Rating], people: People) -> list[Rating]:
    """Return the ratings with the model's numbers, if it is used."""
    model = people.calibration
    if model is None or not model.is_used:
        return list(ratings)
    return [
        each.model_copy(update={"calibrated": model.predict(features_of(each.model_dump()))})
        if each.uncapped is not None
        else each
        for each in ratings
    ]


def features_of(take: Mapping[str, Any]) -> Features:
    """Return the instruments' numbers of a take's line in ``ratings.json``; what is no number is left out."""
    measures = take.get("measures")
    measured: Mapping[str, Any] = measures if isinstance(measures, dict) else {}
    distances = [name for name in measured if name.endswith("_distance")]
    found = {name: take.get(name) for name in _PARTS} | {name: measured.get(name) for name in (*_MEASURES, *distances)}
    return {name: float(value) if isinstance(value, int | float) else None for name, value in found.items()}


def describe_people(people: People) -> list[str]:
    """Say how well the rating agrees with people, and whether the model of them is used."""
    sentences = []
    if people.votes is not None:
        one = people.votes
        sentences.append(
            f"Of {one.n_votes} votes of people, {one.share:.0%} prefer the take that the rating puts first "
            f"(95 % interval {one.low:.0%} to {one.high:.0%})."
        )
    if people.scores is not None and people.scores.pair_share is not None:
        said = people.scores
        rank = (
            ""
            if said.spearman is None
            else f", rank correlation {said.spearman:.2f} ({said.low:.2f} to {said.high:.2f})"
        )
        sentences.append(
            f"Of {said.n_pairs} pairs of takes that people score differently, the rating puts {said.pair_share:.0%} "
            f"in the same order{rank}."
        )
    if people.calibration is not None:
        sentences.append(_describe_model(people.calibration))
    return sentences


def _describe_model(model: Calibration) -> str:
    error = "an error" if model.kind == "scores" else "a log loss"
    saved = f"saved {model.gain:.2f}, 95 % interval {model.low:.2f} to {model.high:.2f}"
    checked = (
        f"a model of {model.n} {model.kind} over the instruments has {error} of {model.model_error:.2f} on texts that "
        f"were left out, the plain rating {model.plain_error:.2f} ({saved})"
    )
    if model.is_used:
        return f"Calibrated ratings are shown: {checked}."
    return f"The plain rating is kept: {checked}."


def _model(ratings: Sequence[Rating], opinions: Opinions, folder: Path) -> Calibration | None:
    """Model scores if there are enough, else votes."""
    takes = {(folder / each.audio).resolve(): each.model_dump() for each in ratings if each.uncapped is not None}
    if not takes:
        return None
    judged = [
        Judgement(str(take["text"]), features_of(take), score.score)
        for audio, take in takes.items()
        for score in opinions.of(str(take["audio"]))
    ]
    if len(judged) >= MIN_OPINIONS:
        return calibrate(judged, "scores", {})
    known = {path: features_of(take) for path, take in takes.items()}
    compared = _votes(opinions, folder, known) if len(opinions.votes) >= MIN_OPINIONS else []
    return calibrate(compared, "votes", _means(list(known.values())))


def _votes(opinions: Opinions, folder: Path, known: dict[Path, Features]) -> list[Judgement]:
    """Return votes between takes whose measures are known, here or in a ``ratings.json`` beside the other take."""
    read = {folder.resolve()}
    judged = []
    for vote in last_votes(opinions.votes):
        paths = [(folder / name).resolve() for name in (vote.audio, vote.against)]
        for path in paths:
            if path.parent not in read:
                read.add(path.parent)
                known.update(_features_in(path.parent))
        if not all(path in known for path in paths):
            continue
        own, other = (known[path] for path in paths)
        difference = {name: _less(value, other.get(name)) for name, value in own.items()}
        judged.append(Judgement(vote.text, difference, {"audio": 1.0, "against": 0.0, "tie": 0.5}[vote.winner]))
    return judged


def _features_in(folder: Path) -> dict[Path, Features]:
    return {path: features_of(take) for path, take in find_rated_takes(folder).items()}


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _means(features: Sequence[Features]) -> dict[str, float]:
    names = dict.fromkeys(name for each in features for name in each)
    known = {name: [value for each in features if (value := each.get(name)) is not None] for name in names}
    return {name: fmean(values) for name, values in known.items() if values}
