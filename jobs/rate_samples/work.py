"""Work of ``rate_samples``: measure the narrator, takes and anchors; rate them; write ratings and report.

Measurements are kept beside the ratings by content, so a repeated or continued run measures only what is new.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.takes import find_takes_file
from jobs.files.folders import make_folder
from jobs.rate_samples.anchors import Anchor, collect_anchors
from jobs.rate_samples.evaluator import Evaluator
from jobs.rate_samples.html_report import write_page
from jobs.rate_samples.inputs import RatingInputs, read_inputs
from jobs.rate_samples.params import Params, Result
from jobs.rate_samples.people import calibrated, describe_people, hear_people
from jobs.rate_samples.plots import draw_ratings, draw_spectrogram, spectrogram_path
from jobs.rate_samples.rating_files import (
    build_result,
    compare_voices,
    verdict_sentences,
    write_evaluation,
    write_ratings,
)
from jobs.rate_samples.results import (
    RatingResults,
    compute_drift,
    describe_too_short,
    describe_unchecked,
    rank_voices,
    same_voice_note,
)
from jobs.rating.human_ratings import read_opinions
from jobs.rating.judge_models import JudgeModels, SpeakerModel, choose_judge_models
from jobs.rating.measurements import read_clip_or_empty
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

logger = logging.getLogger(__name__)

JOURNAL = "rating_measures.jsonl"
REPORT = "report.html"


def run(params: Params, context: JobContext) -> Result:
    """Rate every take.

    Raises:
        UserError: those of ``read_inputs``, ``collect_anchors``, ``choose_judge_models`` and of the narrator's profile;
            ``audio_unreadable``.
    """
    takes_file = find_takes_file(Path(params.takes))
    out = Path(params.out) if params.out else takes_file.with_name("ratings.json")
    make_folder(out.parent)
    models = choose_judge_models(
        context.settings,
        judges=params.judges,
        speaker_model=params.speaker_model,
        whisper_model=params.whisper_model,
        has_other_speaker=params.anchor_clips > 0,
    )
    inputs = read_inputs(
        takes_file,
        Path(params.narrator_manifest),
        params.max_narrator_clips,
        params.anchor_clips,
        AudioRoots.of(context.settings),
    )
    anchors = collect_anchors(inputs, params, out.parent)
    with Journal(Path(params.measures) if params.measures else out.with_name(JOURNAL)) as journal:
        rated = _rate(inputs, anchors, models, journal, context, takes_file.parent)
        if any(found.limits is None for found in rated.limits.values()) and params.speaker_model is None:
            # an encoder chosen automatically is replaced by the bundled one, whose limits are known
            logger.info("%s cannot separate this narrator from others; using the bundled encoder", models.speaker.name)
            models = replace(models, speaker=SpeakerModel())
            rated = _rate(inputs, anchors, models, journal, context, takes_file.parent)
    return _write_results(rated, inputs, anchors, out, context)


def _rate(
    inputs: RatingInputs,
    anchors: Mapping[str, Anchor],
    models: JudgeModels,
    journal: Journal,
    context: JobContext,
    takes_folder: Path,
) -> RatingResults:
    """Measure and rate takes and anchors with one set of models."""
    evaluator = Evaluator(inputs, anchors, models, journal, context)
    narrators = evaluator.measure_narrators()
    limits = evaluator.find_limits(narrators, anchors["other_speaker"].items)
    opinions = read_opinions(takes_folder)
    ratings = evaluator.rate(inputs.items, narrators, limits, opinions)
    anchor_ratings = {name: evaluator.rate(anchor.items, narrators, limits) for name, anchor in anchors.items()}
    notes = {name: anchor.note for name, anchor in anchors.items()}
    profiles = {speaker: profile for speaker, (profile, _) in narrators.items()}
    note = same_voice_note(anchors["other_speaker"], anchor_ratings["other_speaker"], profiles)
    if note:
        anchor_ratings["other_speaker"], notes["other_speaker"] = [], note
    drift = compute_drift(ratings, profiles)
    people = hear_people(ratings, opinions, takes_folder, len(profiles))
    ratings = calibrated(ratings, people)
    return RatingResults(ratings, anchor_ratings, notes, profiles, limits, drift, models, opinions, people)


def _write_results(
    rated: RatingResults, inputs: RatingInputs, anchors: Mapping[str, Anchor], out: Path, context: JobContext
) -> Result:
    """Write ratings, plots and the report, and publish them."""
    plot, report = out.with_suffix(".png"), out.with_name(REPORT)
    summaries = rated.anchor_summaries()
    verdict = [
        *compare_voices(rank_voices(rated.ratings)),
        *verdict_sentences(rated.summary(), summaries, rated.drift),
        *describe_unchecked(rated.ratings),
        *describe_too_short(rated.ratings),
        *describe_people(rated.people),
    ]
    result = build_result(rated, out, plot, report, verdict)
    write_ratings(out, rated, result)
    write_evaluation(out, rated, result)
    draw_ratings(plot, rated.ratings, summaries)
    items = [*inputs.items, *(item for anchor in anchors.values() for item in anchor.items)]
    for item in items:
        audio = read_clip_or_empty(item.path, CLIP_RATE_HZ)
        draw_spectrogram(out.parent / spectrogram_path(item.take.audio), audio)
    write_page(report, rated, result, {item.take.audio: os.path.relpath(item.path, out.parent) for item in items})
    context.publish("ratings", out, "ratings")
    context.publish("plot", plot, "plot")
    context.publish("report", report, "report")
    return result
