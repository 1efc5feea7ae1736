"""Quality check of a dataset: clips are measured, judged and split, and each gets the narrator's reference clip."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs.dataset.manifest import Clip, Rejection, Source
from jobs.dataset.quality.measure_all import (
    choose_for_dnsmos,
    choose_for_text,
    measure_clips,
    measure_dnsmos,
    measure_text_matches,
)
from jobs.dataset.quality.measure_clip import Measured
from jobs.dataset.quality.narrator_stats import (
    DatasetProfile,
    DnsmosScores,
    build_dnsmos_scores,
    build_profile,
    compute_speaking_rate,
)
from jobs.dataset.quality.quality_filter import (
    QualityRejection,
    build_profile_of_good_clips,
    find_absolute_rejection,
    find_rejection,
    is_doubtful,
)
from jobs.dataset.quality.reference_clip import best_references
from jobs.dataset.quality.signal_metrics import against_pauses
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.split import split_clips
from jobs.runner.worker.context import JobContext
from jobs.speaker.narrator_profile import MIN_PROFILE_CLIPS
from jobs.speaker.similarity import compute_sim

logger = logging.getLogger(__name__)

N_REFERENCES = 5


@dataclass(frozen=True)
class Judged:
    """Kept and rejected clips in order; ``references``: each speaker's best clips, best first, paths as in the rows."""

    kept: list[Clip]
    rejected: list[tuple[Clip, QualityRejection]] = field(default_factory=list)
    narrators: dict[str, DatasetProfile] = field(default_factory=dict)
    references: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def judge_clips(
    dataset: Path,
    clips: Sequence[Clip],
    limits: Thresholds,
    *,
    validation_share: float,
    validation_chapters: Sequence[int] = (),
    context: JobContext,
    done: Callable[[str], None] = lambda _: None,
) -> Judged:
    """Measure and judge the clips of a dataset, and choose validation and reference clips.

    ``clips`` are in the order of the recording. ``validation_chapters``, when given, are held out instead of
    ``validation_share`` of each speaker's clips.
    """
    measured = [
        about.model_copy(update={"values": against_pauses(about.values, clip.quality.get("pause_dbfs"))})
        for clip, about in zip(clips, measure_clips(dataset, clips, context, done), strict=True)
    ]
    speakers: dict[str, list[int]] = {}
    for place, clip in enumerate(clips):
        speakers.setdefault(clip.speaker, []).append(place)
    narrators = {
        name: build_profile_of_good_clips([measured[k] for k in places], limits) for name, places in speakers.items()
    }
    good = [k for k, about in enumerate(measured) if find_absolute_rejection(about, limits) is None]
    doubtful = [k for k in good if is_doubtful(measured[k], narrators[clips[k].speaker])]
    places = choose_for_dnsmos(measured, good, doubtful, limits)
    scores = dict(zip(places, measure_dnsmos(dataset, [clips[k] for k in places], context, done), strict=True))
    texts = choose_for_text(clips, measured, good, limits)
    matches = measure_text_matches(dataset, clips, texts, context, done)
    own = {name: _opinion(places, measured, scores) for name, places in speakers.items()}

    rows: dict[int, Clip] = {}
    rejected: list[tuple[Clip, QualityRejection]] = []
    for place, clip in enumerate(clips):
        about, narrator = measured[place], narrators[clip.speaker]
        score = scores.get(place)
        rejection = find_rejection(
            about,
            narrator,
            limits,
            score=score,
            own=own[clip.speaker],
            text_match=matches.get(place),
        )
        row = clip.model_copy(update={"quality": _quality(clip, about, narrator, score, matches.get(place))})
        if rejection is None or not limits.reject:
            rows[place] = row
        else:
            rejected.append((row, rejection))
    kept, references = _split_and_referenced(rows, measured, validation_share, validation_chapters)
    logger.info("%d of %d clips are good enough.", len(kept), len(clips))
    notes = _notes(speakers, narrators, clips, rejected, limits)
    return Judged(kept, rejected, narrators, references, [*notes, texts.note] if texts.note else notes)


def build_rejection(row: Clip, rejection: QualityRejection) -> Rejection:
    """Build the line of ``rejections.jsonl``; the clip's file stays, so that a person can listen to it."""
    source = row.source or Source(recording=row.audio, start_s=0.0, end_s=row.duration_s or 0.0)
    return Rejection(
        source=source,
        reason=rejection.reason,
        detail=rejection.detail,
        text=row.text or None,
        value=rejection.value,
        limit=rejection.limit,
        audio=row.audio,
    )


def merge_rejections(earlier: Sequence[Rejection], later: Sequence[Rejection]) -> list[Rejection]:
    """Return all rejections in the order of the recordings."""
    order: dict[str, int] = {}
    for row in [*earlier, *later]:
        order.setdefault(row.source.recording, len(order))
    return sorted([*earlier, *later], key=lambda row: (order[row.source.recording], row.source.start_s))


def _opinion(
    places: Sequence[int], measured: Sequence[Measured], scores: dict[int, dict[str, float]]
) -> DnsmosScores | None:
    return build_dnsmos_scores([(scores[k], measured[k].speech_span_s) for k in places if k in scores])


def _quality(
    clip: Clip, about: Measured, narrator: DatasetProfile, score: dict[str, float] | None, text_match: float | None
) -> dict[str, float]:
    found = clip.quality | about.values
    rate = compute_speaking_rate(about)
    if rate is not None:
        found["rate"] = round(rate, 2)
    if about.embedding is not None and narrator.voice is not None:
        found["sim"] = round(compute_sim(about.embedding, narrator.voice), 3)
    if score is not None:
        found |= {f"dnsmos_{name}": value for name, value in score.items()}
    if text_match is not None:
        found["text_match"] = text_match
    return found


def _split_and_referenced(
    rows: dict[int, Clip], measured: Sequence[Measured], share: float, chapters: Sequence[int]
) -> tuple[list[Clip], dict[str, list[str]]]:
    kept = list(rows.values())
    if chapters:
        splits = ["validation" if row.source and row.source.chapter in chapters else "train" for row in kept]
    else:
        splits = [*split_clips(kept, share)]
    kept = [row.model_copy(update={"split": each}) for row, each in zip(kept, splits, strict=True)]
    about = [measured[place] for place in rows]
    references: dict[str, list[str]] = {}
    for speaker in dict.fromkeys(row.speaker for row in kept):
        places = [k for k, row in enumerate(kept) if row.speaker == speaker]
        best = best_references(
            [kept[k] for k in places],
            [about[k] for k in places],
            build_profile([about[k] for k in places]),
            N_REFERENCES,
        )
        references[speaker] = [kept[places[k]].audio for k in best]
    return [row.model_copy(update={"ref_audio": references[row.speaker][0]}) for row in kept], references


def _notes(
    speakers: dict[str, list[int]],
    narrators: dict[str, DatasetProfile],
    clips: Sequence[Clip],
    rejected: Sequence[tuple[Clip, QualityRejection]],
    limits: Thresholds,
) -> list[str]:
    notes = []
    for name, places in speakers.items():
        narrator = narrators[name]
        if narrator.voice is None and limits.max_sim_drop is not None:
            notes.append(
                f"The voice of {name} was not checked: too few of {len(places)} clips are good (needs "
                f"{MIN_PROFILE_CLIPS})."
            )
        n_others = sum(row.speaker == name and rejection.reason == "another_voice" for row, rejection in rejected)
        if n_others > 0.2 * len(places):
            notes.append(
                f"{n_others} of {len(places)} clips of {name} are in another voice. The voice of the larger part was "
                "kept: make sure that it is the one you want."
            )
    if not limits.reject:
        notes.append("Nothing was rejected for its quality: quality.reject is off.")
    return notes
