"""Measures each clip and take once, keeps what was measured, reports progress, stops when asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

from jobs.asr.wer import distractors
from jobs.audio.clip_io import SPEECH_RATE_HZ, read_clip
from jobs.audio.dnsmos import PREDICTOR
from jobs.audio.mel import Floats
from jobs.rate_samples.anchors import Anchor
from jobs.rate_samples.inputs import Asked, Plan
from jobs.rate_samples.judge_models import Judges
from jobs.rate_samples.keys import file_hash, key_of
from jobs.rate_samples.measurements import RECOGNISED, RECOGNISER, Instruments, Measures, Timbre
from jobs.rate_samples.narrator_clips import N_SHORT_CLIPS, NarratorClip, profile_of, short_lengths
from jobs.rate_samples.params import Rating
from jobs.rate_samples.text_discrimination import another_fits, is_heard, rivals
from jobs.rating.human_ratings import Opinions
from jobs.rating.rating_types import Features, Verdict
from jobs.rating.scoring import (
    AUTOMATIC_CAP,
    GE2E_LIMITS,
    MIN_SEPARATION,
    MIN_VOICE_S,
    VERSION,
    VoiceLimits,
    fitted_limits,
    rate,
)
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal
from jobs.speaker.narrator_profile import Profile
from jobs.text.english_normalization import spoken_words


class Desk:
    """Where takes are compared with their narrator.

    Args:
        plan: what to rate.
        anchors: what else will be rated in this run.
        judges: speaker encoder and recogniser, of everything.
        journal: measures that are already made.
        context: progress and cancellation.
    """

    def __init__(
        self, plan: Plan, anchors: Mapping[str, Anchor], judges: Judges, journal: Journal, context: JobContext
    ) -> None:
        self._plan = plan
        self._anchors = anchors
        self._judges = judges
        self._journal = journal
        self._context = context
        texts = [clip.text for clips in plan.clips.values() for clip in clips if clip.language == RECOGNISED]
        self._distractors = distractors([spoken_words(text) for text in texts])
        self._instruments = Instruments(self._distractors, judges)
        listener = judges.listener.name if judges.listener else ""
        # what a measure depends on beside its clip
        naturalness = judges.naturalness.name if judges.naturalness else ""
        self._made_with = (VERSION, judges.speaker.name, PREDICTOR, RECOGNISER, listener, naturalness)
        self._done = 0
        n_rated = len(plan.asked) + sum(len(anchor.asked) for anchor in anchors.values())
        # What is rated counts twice: measured, then rated.
        self._total = 2 * n_rated + sum(len(clips) for clips in plan.clips.values())

    def profiles(self) -> dict[str, tuple[Profile, Floats]]:
        """Every narrator's profile and the centroid of his embeddings (256,)."""
        # Takes first: how short they are decides at which lengths the narrator is measured.
        asked = [*self._plan.asked, *(each for anchor in self._anchors.values() for each in anchor.asked)]
        lengths_s = [self._measure(each.path, each.take.text, each.language).prosody.duration_s for each in asked]
        return {speaker: self._profile(clips, lengths_s) for speaker, clips in self._plan.clips.items()}

    def limits(self, profiles: Mapping[str, tuple[Profile, Floats]], others: Sequence[Asked]) -> dict[str, Limits]:
        """What the speaker encoder's SIM means, for each narrator.

        Args:
            profiles: from ``profiles``.
            others: clips of another voice, which an encoder without measured limits is fitted with.
        """
        if self._judges.speaker.is_carried:
            return dict.fromkeys(profiles, Limits(GE2E_LIMITS, "measured on 339 clips"))
        measured = [self._measure(each.path, each.take.text, each.language, step=False) for each in others]
        timbres = [each.timbre for each in measured if each.timbre and each.prosody.speech_span_s >= MIN_VOICE_S]
        return {
            speaker: fit(profile.whole.sim, [timbre.sim(voice) for timbre in timbres])
            for speaker, (profile, voice) in profiles.items()
        }

    def rate(
        self,
        asked: Sequence[Asked],
        profiles: Mapping[str, tuple[Profile, Floats]],
        limits: Mapping[str, Limits],
        said: Opinions | None = None,
    ) -> list[Rating]:
        """Ratings, in order.

        Args:
            asked: takes or anchors' clips.
            profiles: from ``profiles``.
            limits: from ``limits``.
            said: by people, of these takes.
        """
        return [self._rate(each, *profiles[each.narrator], limits[each.narrator].voice, said) for each in asked]

    def _profile(self, clips: Sequence[NarratorClip], take_lengths_s: Sequence[float]) -> tuple[Profile, Floats]:
        measures = [self._measure(clip.path, clip.text, clip.language) for clip in clips]
        lengths_s = short_lengths([each.prosody.duration_s for each in measures], take_lengths_s)
        short = {length_s: self._cut(clips[:N_SHORT_CLIPS], length_s) for length_s in lengths_s}
        return profile_of(measures, short, clips[0].language)

    def _rate(
        self, asked: Asked, profile: Profile, voice: Floats, limits: VoiceLimits | None, said: Opinions | None
    ) -> Rating:
        measures = self._measure(asked.path, asked.take.text, asked.language, step=False)
        own, *others = self._text_scores(asked, measures)
        features = replace(
            features_of(measures, profile, voice, asked),
            heard=is_heard(own, others),
            another_fits=another_fits(own, others),
        )
        scores = [score.score for score in said.of(asked.take.audio)] if said is not None else []
        rating = rating_of(features, rate(features, profile, limits), asked, measures.heard_words, scores)
        if measures.utmos is not None:
            rating.measures["utmosv2"] = measures.utmos
        self._step(f"rated {asked.take.audio}: {rating.rating:.1f}", rating=rating.rating)
        return rating

    def _measure(self, path: Path, text: str, language: str, *, step: bool = True) -> Measures:
        known = self._once(
            lambda: self._instruments.measure(path, text, language).model_dump(mode="json"),
            "clip", file_hash(path), text, language, self._distractors,
        )  # fmt: skip
        if step:
            self._step(f"measured {path.name}")
        return Measures.model_validate(known)

    def _cut(self, clips: Sequence[NarratorClip], length_s: float) -> list[Timbre]:
        """Timbre of the clips' first ``length_s``; clips that are no longer than that are left out."""
        found = [
            self._once(partial(self._timbre, clip.path, length_s), "cut", file_hash(clip.path), length_s)
            for clip in clips
        ]
        return [Timbre.model_validate(known) for known in found if known["embedding"]]

    def _timbre(self, path: Path, length_s: float) -> dict[str, Any]:
        speech = read_clip(path, SPEECH_RATE_HZ)
        n_samples = int(length_s * SPEECH_RATE_HZ)
        if len(speech) <= n_samples:
            return {"embedding": [], "ovrl": 0.0, "p808": 0.0}
        return self._instruments.timbre(speech[:n_samples]).model_dump()

    def _text_scores(self, asked: Asked, measures: Measures) -> list[float | None]:
        """Score of the take's own text, then of those it is compared with: none where words cannot be recognised."""
        if asked.language != RECOGNISED or not measures.n_words:
            return [None]
        texts = [each.take.text for each in self._plan.asked if each.language == RECOGNISED]
        compared = [asked.take.text, *rivals(asked.take.text, texts)]
        if measures.timbre is None:  # silent
            return [None] * len(compared)
        make = partial(self._instruments.text_scores, asked.path, compared)
        scores: list[float | None] = self._once(make, "texts", file_hash(asked.path), compared)
        return scores

    def _once(self, make: Callable[[], Any], *depends_on: object) -> Any:
        """The journal's value for what it depends on; made, and written there, when it is not."""
        key = key_of(*depends_on, *self._made_with)
        known = self._journal.get(key)
        if known is None:
            self._context.raise_if_cancelled()
            known = make()
            self._journal.add(key, known)
        return known

    def _step(self, message: str, **metrics: float) -> None:
        self._done += 1
        self._context.progress(self._done, self._total, message, **metrics)


def features_of(measures: Measures, profile: Profile, voice: Floats, asked: Asked) -> Features:
    """What ``rate`` needs to know of a take, but for the comparison with other texts."""
    timbre = measures.timbre
    same_language = asked.language == profile.language
    return Features(
        prosody=measures.prosody,
        sim=timbre.sim(voice) if timbre else 0.0,
        ovrl=timbre.ovrl if timbre else 1.0,
        p808=timbre.p808 if timbre else 1.0,
        n_words=measures.n_words,
        language=asked.language,
        # Letters of one language and phones of another are not one rate.
        speaking_rate=measures.speaking_rate if same_language else None,
        wer=measures.wer,
        aligns=measures.aligns,
        hit_limit=asked.take.hit_limit,
    )


@dataclass(frozen=True)
class Limits:
    """The voice's limits for one narrator, and where they come from; None: this encoder cannot judge him."""

    voice: VoiceLimits | None
    source: str


def fit(own: float, others: Sequence[float]) -> Limits:
    """Limits of an encoder that none were measured for, from the narrator's own clips and another voice's."""
    if not others:
        return Limits(None, "there was no other voice to fit the limits with")
    floor = median(others)
    seen = f"the narrator's own SIM {own:.2f}, another voice's {floor:.2f} ({len(others)} clips)"
    if own - floor < MIN_SEPARATION:
        return Limits(None, f"it does not tell the narrator from another voice: {seen}")
    return Limits(fitted_limits(own, floor), f"fitted in this run: {seen}")


def rating_of(
    features: Features, verdict: Verdict, asked: Asked, heard_words: str | None, scores: Sequence[int]
) -> Rating:
    """The line of ``ratings.json``.

    Args:
        scores: what people gave this take: the cap on what instruments may give is theirs to lift.
    """
    take = asked.take
    person = round(fmean(scores), 2) if scores else None
    cap = AUTOMATIC_CAP if person is None else max(AUTOMATIC_CAP, person)
    sound = features.prosody
    measures: dict[str, float | None] = {
        "sim": features.sim,
        "dnsmos_ovrl": features.ovrl,
        "dnsmos_p808": features.p808,
        "word_error_rate": features.wer,
        "text_aligns": _number(features.aligns),
        "text_heard": _number(features.heard),
        "speaking_rate": features.speaking_rate,
        "n_words": features.n_words,
        **{name: _number(value) for name, value in asdict(sound).items()},
    }
    return Rating(
        audio=take.audio,
        text=take.text,
        take=take.take,
        narrator=asked.narrator,
        rating=min(verdict.uncapped, cap),
        uncapped=verdict.uncapped,
        person=person,
        n_person=len(scores),
        reasons=[fault.reason for fault in verdict.faults],
        faults=[fault.code for fault in verdict.faults if fault.cap < 5],
        intelligibility=verdict.intelligibility,
        voice=verdict.voice,
        sound=verdict.sound,
        timing=verdict.timing,
        measures={name: None if value is None else round(value, 4) for name, value in measures.items()},
        heard_words=heard_words,
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
