"""Rate takes against their narrator and against anchors: measure all of them, compare, write what was found.

Measures are kept beside the ratings by content, so that a repeated or continued run measures only what is new.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip
from jobs.dataset.takes import find_takes_file
from jobs.errors import UserError
from jobs.rate_samples.anchors import Anchor, anchors_of
from jobs.rate_samples.drift import drift_of
from jobs.rate_samples.evaluator import Desk
from jobs.rate_samples.inputs import Asked, Plan, plan
from jobs.rate_samples.judge_models import Judges, SpeakerJudge, choose_judges
from jobs.rate_samples.params import Params, Result
from jobs.rate_samples.report.html_report import write_page
from jobs.rate_samples.report.plots import draw_ratings, draw_spectrogram, spectrogram_of
from jobs.rate_samples.report.rating_files import Rated, same_voice_note, summarise, write_evaluation, write_ratings
from jobs.rate_samples.report.verdict_text import conclude
from jobs.rating.human_ratings import read_opinions
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

logger = logging.getLogger(__name__)

JOURNAL = "rating_measures.jsonl"
REPORT = "report.html"


def run(params: Params, context: JobContext) -> Result:
    """Rate every take.

    Raises:
        UserError: from ``plan``, ``anchors_of``, ``choose_judges``, from the narrator's profile, or
            ``audio_unreadable``.
    """
    takes_file = find_takes_file(Path(params.takes))
    out = Path(params.out) if params.out else takes_file.with_name("ratings.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    judges = choose_judges(params, context.settings)
    manifest = Path(params.narrator_manifest)
    planned = plan(takes_file, manifest, params.max_narrator_clips, params.anchor_clips)
    other, clone = (Path(path) if path else None for path in (params.other_speaker, params.zero_shot_takes))
    anchors = anchors_of(
        planned, manifest, out.parent, params.anchor_clips, other_speaker=other, zero_shot_takes=clone
    )  # fmt: skip
    with Journal(Path(params.measures) if params.measures else out.with_name(JOURNAL)) as journal:
        rated = _rated(planned, anchors, judges, journal, context, takes_file.parent)
        if any(one.voice is None for one in rated.limits.values()) and params.speaker_model is None:
            # found by itself, it may also be left: the carried encoder's limits were measured
            logger.info("%s cannot judge this narrator; the carried encoder does", judges.speaker.name)
            judges = replace(judges, speaker=SpeakerJudge())
            rated = _rated(planned, anchors, judges, journal, context, takes_file.parent)
    plot, report = out.with_suffix(".png"), out.with_name(REPORT)
    summaries = rated.anchor_summaries()
    result = summarise(rated, out, plot, report, conclude(rated.summary(), summaries, rated.drift))
    write_ratings(out, rated, result)
    write_evaluation(out, rated, result)
    draw_ratings(plot, rated.ratings, summaries)
    for asked in _all_asked(planned, anchors):
        draw_spectrogram(out.parent / spectrogram_of(asked.take.audio), _audio(asked.path))
    places = {each.take.audio: os.path.relpath(each.path, out.parent) for each in _all_asked(planned, anchors)}
    write_page(report, rated, result, places)
    context.publish("ratings", out, "ratings")
    context.publish("plot", plot, "plot")
    context.publish("report", report, "report")
    return result


def _rated(
    planned: Plan,
    anchors: Mapping[str, Anchor],
    judges: Judges,
    journal: Journal,
    context: JobContext,
    takes_folder: Path,
) -> Rated:
    desk = Desk(planned, anchors, judges, journal, context)
    narrators = desk.profiles()
    profiles = {speaker: profile for speaker, (profile, _) in narrators.items()}
    limits = desk.limits(narrators, anchors["other_speaker"].asked)
    said = read_opinions(takes_folder)
    ratings = desk.rate(planned.asked, narrators, limits, said)
    found = {name: desk.rate(anchor.asked, narrators, limits) for name, anchor in anchors.items()}
    notes = {name: anchor.note for name, anchor in anchors.items()}
    no_floor = same_voice_note(anchors["other_speaker"], found["other_speaker"], profiles)
    if no_floor:
        found["other_speaker"], notes["other_speaker"] = [], no_floor
    return Rated(ratings, found, notes, profiles, limits, drift_of(ratings, profiles), judges, said)


def _all_asked(planned: Plan, anchors: Mapping[str, Anchor]) -> Iterator[Asked]:
    yield from planned.asked
    for anchor in anchors.values():
        yield from anchor.asked


def _audio(path: Path) -> Samples:
    try:
        return read_clip(path, CLIP_RATE_HZ)
    except UserError as error:
        if error.code != "audio_empty":
            raise
        return np.zeros(0, np.float32)
