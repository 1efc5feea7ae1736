"""``evaluations/iteration_N/``: a round's takes, what was said of them, what it is worth; the original's files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from jobs.dataset.takes import Take, read_takes
from jobs.files import write_json
from jobs.rating.human_ratings import read_opinions
from jobs.refine_voice.policy import Heard
from jobs.refine_voice.significance import mean_of

RATINGS, EVALUATION = "ratings.json", "evaluation.json"
MEASURES = "rating_measures.jsonl"  # what rate_samples keeps of clips by their content


@dataclass(frozen=True)
class Said:
    """What is said of one take: as shown, without the cap, why."""

    rating: float
    uncapped: float
    reasons: list[str]


def link_takes(folder: Path) -> None:
    """Give every take its name of the original skill beside its own: eval_00.wav, eval_01.wav …"""
    for number, take in enumerate(read_takes(folder)):
        link = folder / f"eval_{number:02d}.wav"
        temporary = folder / f".{link.name}.partial"
        temporary.unlink(missing_ok=True)
        if link.exists() and link.samefile(folder / take.audio):
            continue  # renaming one name of a file to another of it does nothing, and leaves both
        try:
            os.link(folder / take.audio, temporary)
        except OSError:  # a disk without hard links
            shutil.copyfile(folder / take.audio, temporary)
        temporary.rename(link)


def read_ratings(folder: Path) -> tuple[dict[str, Said], dict[str, Any]]:
    """By take what the instruments said, and the whole of ratings.json."""
    report: dict[str, Any] = json.loads((folder / RATINGS).read_text(encoding="utf-8"))
    said = {take["audio"]: Said(take["rating"], take["uncapped"], take["reasons"]) for take in report["takes"]}
    return said, report


def read_person(folder: Path) -> tuple[dict[str, Said], list[str]]:
    """By take what people said, and the takes of which nobody has said anything."""
    opinions, takes = read_opinions(folder), read_takes(folder)
    said = {}
    for take in takes:
        scores = opinions.of(take.audio)
        if scores:
            mean = fmean(score.score for score in scores)
            said[take.audio] = Said(mean, mean, [score.note for score in scores if score.note])
    return said, [take.audio for take in takes if take.audio not in said]


def heard_of(takes: Sequence[Take], said: Mapping[str, Said], rated: Sequence[Mapping[str, Any]] = ()) -> Heard:
    """A round's worth.

    Args:
        takes: all of them.
        said: of each.
        rated: takes of ratings.json, for the parts.
    """
    shown: dict[str, list[float]] = {}
    scores: dict[str, list[float]] = {}
    for take in takes:
        shown.setdefault(take.text, []).append(said[take.audio].rating)
        scores.setdefault(take.text, []).append(said[take.audio].uncapped)
    return Heard(
        shown=mean_of(shown),
        scores=scores,
        stop_rate=1 - sum(take.hit_limit for take in takes) / len(takes),
        intelligibility=_mean(rated, "intelligibility"),
        voice=_mean(rated, "voice"),
    )


def write_evaluation(
    folder: Path, iteration: int, heard: Heard, said: Mapping[str, Said], *, threshold: float, rated_by: str, job: str
) -> None:
    """Write evaluation.json as the original skill has it; ``job`` is whose decisions rest on it."""
    samples = [
        {"phrase": take.text, "audio": f"eval_{number:02d}.wav", "rating": said[take.audio].rating,
         "reasons": said[take.audio].reasons, "duration_s": take.duration_s, "hit_limit": take.hit_limit}
        for number, take in enumerate(read_takes(folder))
    ]  # fmt: skip
    write_json(
        folder / EVALUATION,
        {"iteration": iteration, "average_rating": heard.shown, "quality_threshold": threshold, "rated_by": rated_by,
         "job": job, "uncapped": heard.mean, "scores": heard.scores, "samples": samples},
    )  # fmt: skip


def heard_before(folder: Path, job: str) -> Heard | None:
    """What this job's decision was made on, if it was: a person who scores again later changes no decision."""
    try:
        told = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if told.get("job") != job:
        return None
    takes = read_takes(folder)
    stop_rate = 1 - sum(take.hit_limit for take in takes) / len(takes)
    return Heard(shown=told["average_rating"], scores=told["scores"], stop_rate=stop_rate)


def _mean(takes: Sequence[Mapping[str, Any]], part: str) -> float | None:
    known = [float(take[part]) for take in takes if take.get(part) is not None]
    return round(fmean(known), 4) if known else None
