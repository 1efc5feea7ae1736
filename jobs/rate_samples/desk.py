"""Measures each clip and take once, keeps what was measured, reports progress, stops when asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from jobs.rate_samples.heard import another_fits, is_heard, rivals
from jobs.rate_samples.instruments import RECOGNISED, RECOGNISER, Instruments, Measures, Timbre
from jobs.rate_samples.keys import file_hash, key_of
from jobs.rate_samples.narrator_clips import N_SHORT_CLIPS, NarratorClip, profile_of, short_lengths
from jobs.rate_samples.plan import Asked, Plan, Take
from jobs.rate_samples.spec import Rating
from jobs.runner.context import JobContext
from jobs.runner.journal import Journal
from jobs.speech.audio import SPEECH_RATE_HZ, read_clip
from jobs.speech.intelligibility import distractors
from jobs.speech.mel import Floats
from jobs.speech.mos import PREDICTOR
from jobs.speech.narrator import Profile
from jobs.speech.rating import VERSION, Features, Verdict, rate
from jobs.speech.similarity import ENCODER
from jobs.speech.text import spoken_words

# What a measure depends on beside its clip.
_MADE_WITH = (VERSION, ENCODER, PREDICTOR, RECOGNISER)


class Desk:
    """Where takes are compared with their narrator.

    Args:
        plan: what to rate.
        journal: measures that are already made.
        context: progress and cancellation.
    """

    def __init__(self, plan: Plan, journal: Journal, context: JobContext) -> None:
        self._plan = plan
        self._journal = journal
        self._context = context
        texts = [clip.text for clips in plan.clips.values() for clip in clips if clip.language == RECOGNISED]
        self._distractors = distractors([spoken_words(text) for text in texts])
        self._instruments = Instruments(self._distractors)
        self._done = 0
        # Takes count twice: measured, then rated.
        self._total = 2 * len(plan.asked) + sum(len(clips) for clips in plan.clips.values())

    def profiles(self) -> dict[str, tuple[Profile, Floats]]:
        """Every narrator's profile and the centroid of his embeddings (256,)."""
        # Takes first: how short they are decides at which lengths the narrator is measured.
        lengths_s = [
            self._measure(each.path, each.take.text, each.language).prosody.duration_s for each in self._plan.asked
        ]
        return {speaker: self._profile(clips, lengths_s) for speaker, clips in self._plan.clips.items()}

    def rate_all(self, profiles: Mapping[str, tuple[Profile, Floats]]) -> list[Rating]:
        """The takes' ratings, in order."""
        return [self._rate(each, *profiles[each.narrator]) for each in self._plan.asked]

    def _profile(self, clips: Sequence[NarratorClip], take_lengths_s: Sequence[float]) -> tuple[Profile, Floats]:
        measures = [self._measure(clip.path, clip.text, clip.language) for clip in clips]
        lengths_s = short_lengths([each.prosody.duration_s for each in measures], take_lengths_s)
        short = {length_s: self._cut(clips[:N_SHORT_CLIPS], length_s) for length_s in lengths_s}
        return profile_of(measures, short, clips[0].language)

    def _rate(self, asked: Asked, profile: Profile, voice: Floats) -> Rating:
        measures = self._measure(asked.path, asked.take.text, asked.language, step=False)
        own, *others = self._text_scores(asked, measures)
        features = replace(
            features_of(measures, profile, voice, asked),
            heard=is_heard(own, others),
            another_fits=another_fits(own, others),
        )
        rating = rating_of(features, rate(features, profile), asked.take, measures.heard_words)
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
        key = key_of(*depends_on, *_MADE_WITH)
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


def rating_of(features: Features, verdict: Verdict, take: Take, heard_words: str | None) -> Rating:
    """The line of ``ratings.json``."""
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
        rating=verdict.rating,
        uncapped=verdict.uncapped,
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
