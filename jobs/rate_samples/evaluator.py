"""Evaluator of takes: measures each clip once, compares takes with their narrator, reports progress."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

from pydantic import Field

from jobs.asr.text_discrimination import another_text_fits, competing_texts, fits_best
from jobs.asr.wer import distractors
from jobs.audio.clip_io import SPEECH_RATE_HZ, read_clip
from jobs.audio.dnsmos import PREDICTOR
from jobs.audio.mel import Floats
from jobs.files.reading import hash_file
from jobs.rate_samples.anchors import Anchor
from jobs.rate_samples.inputs import RatingInputs, RatingItem
from jobs.rate_samples.measurement_cache import MeasurementCache
from jobs.rate_samples.params import Rating
from jobs.rating.fitted_faults import certain_changes
from jobs.rating.human_ratings import Opinions
from jobs.rating.instruments.registry import VERSIONS
from jobs.rating.instruments.words import mark_changes
from jobs.rating.judge_models import JudgeModels, NarratorLimits, fit_limits
from jobs.rating.measurements import RECOGNISED, RECOGNISER, ClipAnalyzer, Measurements, Timbre
from jobs.rating.narrator_clips import N_SHORT_CLIPS, NarratorClip, build_features, build_profile, short_lengths
from jobs.rating.rating_types import Features, Verdict
from jobs.rating.scoring import AUTOMATIC_CAP, GE2E_LIMITS, MIN_VOICE_S, VERSION, VoiceLimits, rate
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal
from jobs.speaker.narrator_profile import RatingProfile
from jobs.speaker.similarity import compute_sim
from jobs.text.english_normalization import spoken_words

Narrators = Mapping[str, tuple[RatingProfile, Floats]]
"""Profile and centroid of speaker embeddings (256,) of each narrator, by speaker name."""


class Evaluator:
    """Compares takes, and the anchors rated in the same run, with their narrators."""

    def __init__(
        self,
        inputs: RatingInputs,
        anchors: Mapping[str, Anchor],
        models: JudgeModels,
        journal: Journal,
        context: JobContext,
    ) -> None:
        self._inputs = inputs
        self._anchors = anchors
        self._models = models
        self._context = context
        texts = [clip.text for clips in inputs.clips.values() for clip in clips if clip.language == RECOGNISED]
        self._distractors = distractors([spoken_words(text) for text in texts])
        self._analyzer = ClipAnalyzer(self._distractors, models)
        whisper = models.whisper.name if models.whisper else ""
        naturalness = models.naturalness.name if models.naturalness else ""
        gate = models.gate.name if models.gate else ""
        versions = (VERSION, models.speaker.name, PREDICTOR, RECOGNISER, whisper, naturalness, gate, *VERSIONS)
        self._cache = MeasurementCache(journal, versions, context.raise_if_cancelled)
        self._done = 0
        n_rated = len(inputs.items) + sum(len(anchor.items) for anchor in anchors.values())
        # takes and anchors count twice: measured, then rated
        self._total = 2 * n_rated + sum(len(clips) for clips in inputs.clips.values())

    def measure_narrators(self) -> Narrators:
        """Measure all takes, anchors and narrators' clips; return the narrators' profiles."""
        # takes first: their lengths decide at which lengths the narrator is measured
        items = [*self._inputs.items, *(item for anchor in self._anchors.values() for item in anchor.items)]
        lengths_s = [self._measure(item.path, item.take.text, item.language).prosody.duration_s for item in items]
        return {speaker: self._profile(clips, lengths_s) for speaker, clips in self._inputs.clips.items()}

    def find_limits(self, narrators: Narrators, others: Sequence[RatingItem]) -> dict[str, NarratorLimits]:
        """Find the SIM limits of the speaker encoder for each narrator; ``others`` are another speaker's clips."""
        if self._models.speaker.is_bundled:
            return dict.fromkeys(narrators, NarratorLimits(GE2E_LIMITS, "measured on 339 clips"))
        measured = [self._measure(item.path, item.take.text, item.language, step=False) for item in others]
        timbres = [each.timbre for each in measured if each.timbre and each.prosody.speech_span_s >= MIN_VOICE_S]
        return {
            speaker: fit_limits(profile.whole.sim, [compute_sim(timbre.embedding, voice) for timbre in timbres])
            for speaker, (profile, voice) in narrators.items()
        }

    def rate(
        self,
        items: Sequence[RatingItem],
        narrators: Narrators,
        limits: Mapping[str, NarratorLimits],
        opinions: Opinions | None = None,
    ) -> list[Rating]:
        """Rate takes or anchor clips, in order; ``opinions`` are human ratings of them."""
        return [
            self._rate(item, *narrators[item.narrator], limits[item.narrator].limits, opinions or Opinions())
            for item in items
        ]

    def _profile(self, clips: Sequence[NarratorClip], take_lengths_s: Sequence[float]) -> tuple[RatingProfile, Floats]:
        measured = [self._measure(clip.path, clip.text, clip.language) for clip in clips]
        lengths_s = short_lengths([each.prosody.duration_s for each in measured], take_lengths_s)
        short = {length_s: self._measure_cut(clips[:N_SHORT_CLIPS], length_s) for length_s in lengths_s}
        return build_profile(measured, short, clips[0].language)

    def _rate(
        self, item: RatingItem, profile: RatingProfile, voice: Floats, limits: VoiceLimits | None, opinions: Opinions
    ) -> Rating:
        measured = self._measure(item.path, item.take.text, item.language, step=False)
        own, *others = self._text_scores(item, measured)
        features = replace(
            build_features(measured, profile, voice, language=item.language, hit_limit=item.take.hit_limit),
            heard=fits_best(own, others),
            another_fits=another_text_fits(own, others),
        )
        scores = [score.score for score in opinions.of(item.take.audio)]
        verdict = rate(features, profile, limits)
        rating = build_rating(features, verdict, item, measured.heard_words, scores)
        changes = certain_changes(features, profile)
        if changes and not verdict.is_too_short:
            rating.marked_text = mark_changes(item.take.text, changes)
        if measured.utmos is not None:
            rating.measures["utmosv2"] = measured.utmos
        if rating.rating is None:
            self._step(f"{item.take.audio} is too short to judge")
        else:
            self._step(f"rated {item.take.audio}: {rating.rating:.1f}", rating=rating.rating)
        return rating

    def _measure(self, path: Path, text: str, language: str, *, step: bool = True) -> Measurements:
        stored = self._cache.get_or_compute(
            Measurements,
            lambda: self._analyzer.measure(path, text, language).model_dump(mode="json"),
            "clip", hash_file(path), text, language, self._distractors,
        )  # fmt: skip
        if step:
            self._step(f"measured {path.name}")
        return Measurements.model_validate(stored)

    def _measure_cut(self, clips: Sequence[NarratorClip], length_s: float) -> list[Timbre]:
        """Measure the first ``length_s`` of each clip; clips that are no longer than that are left out."""
        stored = [
            self._cache.get_or_compute(
                Timbre, partial(self._timbre, clip.path, length_s), "cut", hash_file(clip.path), length_s
            )
            for clip in clips
        ]
        return [Timbre.model_validate(each) for each in stored if each["embedding"]]

    def _timbre(self, path: Path, length_s: float) -> dict[str, Any]:
        speech = read_clip(path, SPEECH_RATE_HZ)
        n_samples = int(length_s * SPEECH_RATE_HZ)
        if len(speech) <= n_samples:
            return {"embedding": [], "ovrl": 0.0, "p808": 0.0}
        return self._analyzer.timbre(speech[:n_samples]).model_dump()

    def _text_scores(self, item: RatingItem, measured: Measurements) -> list[float | None]:
        """Score the take's own text, then the competing ones; [None] where words cannot be recognised."""
        if item.language != RECOGNISED or not measured.n_words:
            return [None]
        texts = [each.take.text for each in self._inputs.items if each.language == RECOGNISED]
        compared = [item.take.text, *competing_texts(item.take.text, texts)]
        if measured.timbre is None:  # silent
            return [None] * len(compared)
        score = partial(self._analyzer.text_scores, item.path, compared)
        scores: list[float | None] = self._cache.get_or_compute(
            Annotated[list[float | None], Field(min_length=len(compared), max_length=len(compared))],
            score, "texts", hash_file(item.path), compared,
        )  # fmt: skip
        return scores

    def _step(self, message: str, **metrics: float) -> None:
        self._done += 1
        self._context.progress(self._done, self._total, message, **metrics)


def build_rating(
    features: Features, verdict: Verdict, item: RatingItem, heard_words: str | None, scores: Sequence[int]
) -> Rating:
    """Build the take's line of ``ratings.json``; people's ``scores`` may lift the cap of the automatic rating."""
    take = item.take
    person = round(fmean(scores), 2) if scores else None
    cap = AUTOMATIC_CAP if person is None else max(AUTOMATIC_CAP, person)
    measures: dict[str, float | None] = {
        "sim": features.sim,
        "dnsmos_ovrl": features.ovrl,
        "dnsmos_p808": features.p808,
        "word_error_rate": features.wer,
        "text_aligns": features.aligns,
        "text_heard": features.heard,
        "speaking_rate": features.speaking_rate,
        "n_words": features.n_words,
        **asdict(features.prosody),
        **{f"{code}_distance": distance for code, distance in features.distances.items()},
    }
    return Rating(
        audio=take.audio,
        text=take.text,
        instruct=take.instruct,
        take=take.take,
        narrator=item.narrator,
        model=take.model,
        rating=None if verdict.is_too_short else min(verdict.uncapped, cap),
        uncapped=None if verdict.is_too_short else verdict.uncapped,
        person=person,
        n_person=len(scores),
        reasons=[fault.reason for fault in verdict.faults],
        faults=[fault.code for fault in verdict.faults if fault.cap < 5],
        intelligibility=verdict.intelligibility,
        voice=verdict.voice,
        sound=verdict.sound,
        timing=verdict.timing,
        measures={name: None if value is None else round(float(value), 4) for name, value in measures.items()},
        heard_words=heard_words,
        word_changes=[str(change) for change in features.changes],
    )
