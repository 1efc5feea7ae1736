"""``evaluations/iteration_N/``: a round's takes, their ratings and ``evaluation.json``, as in the original skill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from jobs.dataset.audio_roots import OWN_FOLDER
from jobs.dataset.takes import TAKES_NAME, Take, read_takes, stop_rate
from jobs.files.atomic_io import write_json
from jobs.files.copying import link_file
from jobs.files.json_documents import parse_json
from jobs.files.reading import read_bytes
from jobs.rating.confidence_interval import mean_over_texts
from jobs.rating.human_ratings import read_opinions
from jobs.rating.ratings_file import LARGEST_BYTES, RATINGS_NAME, mean_part, read_ratings_file
from jobs.refine_voice.policy import RoundRating

EVALUATION = "evaluation.json"
MEASURES = "rating_measures.jsonl"  # cache of measurements, shared by all rounds


@dataclass(frozen=True)
class TakeRating:
    """Rating of one take: as shown, without the cap, with reasons."""

    rating: float
    uncapped: float
    reasons: list[str]


def link_takes(folder: Path) -> None:
    """Give every take a second name, as in the original skill: eval_00.wav, eval_01.wav …"""
    for number, take in enumerate(read_takes(folder)):
        sound = OWN_FOLDER.find(folder / TAKES_NAME, folder, take.audio)
        link = folder / f"eval_{number:02d}.wav"
        if not link.exists() or not link.samefile(sound):
            link_file(sound, link)


def read_ratings(folder: Path) -> tuple[dict[str, TakeRating], dict[str, Any]]:
    """Read the automatic ratings by take, without takes too short to judge, and the whole of ``ratings.json``."""
    report = read_ratings_file(folder / RATINGS_NAME)
    ratings = {
        take["audio"]: TakeRating(take["rating"], take["uncapped"], take["reasons"])
        for take in report["takes"]
        if take["rating"] is not None
    }
    return ratings, report


def read_human_ratings(folder: Path) -> tuple[dict[str, TakeRating], list[str]]:
    """Read people's ratings by take, and the takes without a human rating."""
    opinions, takes = read_opinions(folder), read_takes(folder)
    ratings = {}
    for take in takes:
        scores = opinions.of(take.audio)
        if scores:
            mean = fmean(score.score for score in scores)
            ratings[take.audio] = TakeRating(mean, mean, [score.note for score in scores if score.note])
    return ratings, [take.audio for take in takes if take.audio not in ratings]


def build_round_rating(
    takes: Sequence[Take], ratings: Mapping[str, TakeRating], rated_takes: Sequence[Mapping[str, Any]] = ()
) -> RoundRating:
    """Combine the ratings of a round's takes; ``rated_takes``, entries of ``ratings.json``, give the parts."""
    shown: dict[str, list[float]] = {}
    scores: dict[str, list[float]] = {}
    for take in takes:
        if take.audio not in ratings:
            continue  # too short to judge
        shown.setdefault(take.text, []).append(ratings[take.audio].rating)
        scores.setdefault(take.text, []).append(ratings[take.audio].uncapped)
    return RoundRating(
        shown=mean_over_texts(shown),
        scores=scores,
        stop_rate=stop_rate(takes),
        intelligibility=mean_part(rated_takes, "intelligibility"),
        voice=mean_part(rated_takes, "voice"),
    )


def write_evaluation(
    folder: Path,
    iteration: int,
    rating: RoundRating,
    ratings: Mapping[str, TakeRating],
    *,
    threshold: float,
    rated_by: str,
    job: str,
) -> None:
    """Write ``evaluation.json`` as the original skill has it; ``job`` is the job that decides by this rating."""
    samples = [
        {"phrase": take.text, "audio": f"eval_{number:02d}.wav", "rating": ratings[take.audio].rating,
         "reasons": ratings[take.audio].reasons, "duration_s": take.duration_s, "hit_limit": take.hit_limit}
        for number, take in enumerate(read_takes(folder))
        if take.audio in ratings
    ]  # fmt: skip
    write_json(
        folder / EVALUATION,
        {"iteration": iteration, "average_rating": rating.shown, "quality_threshold": threshold, "rated_by": rated_by,
         "job": job, "uncapped": rating.mean, "scores": rating.scores, "samples": samples},
    )  # fmt: skip


def read_decided_rating(folder: Path, job: str) -> RoundRating | None:
    """Read the rating that this job decided by; None before the decision. Later human ratings do not change it."""
    try:
        evaluation = parse_json(read_bytes(folder / EVALUATION, LARGEST_BYTES))
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(evaluation, dict) or evaluation.get("job") != job:
        return None
    stops = stop_rate(read_takes(folder))
    return RoundRating(shown=evaluation["average_rating"], scores=evaluation["scores"], stop_rate=stops)
