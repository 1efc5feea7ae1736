"""Everything that a rating run found, with the statistics of the batch: means with intervals, drift."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from jobs.audio.dnsmos import PREDICTOR
from jobs.errors import UserError
from jobs.rate_samples.anchors import Anchor
from jobs.rate_samples.params import AnchorSummary, Drift, Interval, Mean, Rating, Summary, VoiceMean
from jobs.rate_samples.people import People
from jobs.rating import confidence_interval
from jobs.rating.human_ratings import Opinions
from jobs.rating.instruments.tempo import PAUSE_AT_MARKS
from jobs.rating.judge_models import JudgeModels, NarratorLimits
from jobs.rating.measurements import RECOGNISER
from jobs.rating.scoring import BATCH_PAUSE_S, BATCH_PITCH_ST, BATCH_RATE, BATCH_SIM, MIN_BATCH, MIN_WORDS, UNCHECKED
from jobs.speaker.narrator_profile import RatingProfile


def mean_over_texts(values: Sequence[tuple[str, float]]) -> Mean:
    """Average takes by text, then texts; compute the 95 % interval."""
    scores = _group_by_text(values)
    low, high = confidence_interval.interval_of_mean(scores)
    mean = confidence_interval.mean_over_texts(scores)
    return Mean(mean=mean, low=low, high=high, n_takes=len(values), n_texts=len(scores))


def summarise_texts(values: Sequence[tuple[str, float]]) -> Mapping[str, tuple[float, float, float]]:
    """Compute mean, minimum and maximum of each text's takes, in order of the texts."""
    return {text: (round(fmean(takes), 3), min(takes), max(takes)) for text, takes in _group_by_text(values).items()}


def _group_by_text(values: Sequence[tuple[str, float]]) -> dict[str, list[float]]:
    grouped: dict[str, list[float]] = {}
    for text, value in values:
        grouped.setdefault(text, []).append(value)
    return grouped


def rank_voices(ratings: Sequence[Rating]) -> list[VoiceMean]:
    """Compare the voices of takes, the best by rating first; empty where there is one."""
    by_model: dict[str, list[tuple[str, float]]] = {}
    for rating in ratings:
        if rating.uncapped is not None:
            by_model.setdefault(rating.model, []).append((rating.phrase, rating.uncapped))
    if len(by_model) < 2:
        return []
    means = [VoiceMean(model=name, **mean_over_texts(found).model_dump()) for name, found in by_model.items()]
    return sorted(means, key=lambda voice: -voice.mean)


def describe_unchecked(ratings: Sequence[Rating]) -> list[str]:
    """Say of how many takes the words were not checked, and why: another sentence would pass unseen."""
    reasons = [reason for rating in ratings for reason in rating.reasons if reason.startswith(UNCHECKED)]
    if not reasons:
        return []
    return [f"Of {len(reasons)} of {len(ratings)} takes {reasons[0]}; a Whisper (whisper_model) knows more languages."]


def describe_too_short(ratings: Sequence[Rating]) -> list[str]:
    """Say how many takes the means leave out."""
    n_short = sum(rating.rating is None for rating in ratings)
    if not n_short:
        return []
    return [f"{n_short} of {len(ratings)} takes are too short to judge, and no mean includes them."]


def compute_drift(ratings: Sequence[Rating], profiles: Mapping[str, RatingProfile]) -> Drift:
    """Average the takes' distances from their narrator, and flag averages outside of their limits.

    An average of fewer than ``MIN_BATCH`` measured takes is None.
    """
    rates, pitches, sims, pauses = [], [], [], []
    for rating in ratings:
        profile, measures = profiles[rating.narrator], rating.measures
        rate, pitch_hz, sim = measures.get("speaking_rate"), measures.get("pitch_hz"), measures.get("sim")
        if rate and profile.speaking_rate:
            rates.append(rate / profile.speaking_rate)
        if pitch_hz and profile.pitch_hz:
            pitches.append(12 * math.log2(pitch_hz / profile.pitch_hz))
        if (pause := measures.get(f"{PAUSE_AT_MARKS}_distance")) is not None:
            pauses.append(pause)
        if sim and rating.voice is not None:
            sims.append(sim - profile.at(measures.get("duration_s") or 0.0).sim)
    rate, pitch_st, sim, pause_s = _mean(rates), _mean(pitches), _mean(sims), _mean(pauses)
    flags = []
    if rate is not None and not BATCH_RATE[0] <= rate <= BATCH_RATE[1]:
        flags.append(
            f"over {len(rates)} takes the voice speaks {rate:.2f} times as fast as the narrator "
            f"(limits {BATCH_RATE[0]} to {BATCH_RATE[1]}), even if single takes pass"
        )
    if pitch_st is not None and abs(pitch_st) > BATCH_PITCH_ST:
        flags.append(
            f"over {len(pitches)} takes the pitch differs by {pitch_st:+.1f} semitones from the narrator's "
            f"(limit {BATCH_PITCH_ST})"
        )
    if pause_s is not None and abs(pause_s) > BATCH_PAUSE_S:
        than = "longer" if pause_s > 0 else "shorter"
        flags.append(
            f"over {len(pauses)} takes the pauses at punctuation marks are {abs(pause_s):.2f} s {than} than the "
            f"narrator's (limit {BATCH_PAUSE_S} s)"
        )
    if sim is not None and sim < -BATCH_SIM:
        flags.append(
            f"over {len(sims)} takes SIM is {-sim:.2f} below the narrator's own (limit {BATCH_SIM}): "
            "similar to the voice, but not equal"
        )
    return Drift(n_takes=len(ratings), speaking_rate=rate, pitch_st=pitch_st, sim=sim, flags=flags)


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 3) if len(values) >= MIN_BATCH else None


@dataclass(frozen=True)
class RatingResults:
    """Results of a run; ``anchors``, ``anchor_notes`` by name of the anchor, ``profiles``, ``limits`` by narrator."""

    ratings: list[Rating]
    anchors: Mapping[str, list[Rating]]
    anchor_notes: Mapping[str, str]
    profiles: Mapping[str, RatingProfile]
    limits: Mapping[str, NarratorLimits]
    drift: Drift
    models: JudgeModels
    opinions: Opinions
    people: People = field(default_factory=People)

    @property
    def n_too_short(self) -> int:
        """Number of takes without a rating."""
        return sum(rating.rating is None for rating in self.ratings)

    def summary(self) -> Summary:
        """Summarise the takes that could be judged; raise ``takes_too_short`` if none could."""
        if self.n_too_short == len(self.ratings):
            raise UserError(
                "takes_too_short",
                f"None of the {len(self.ratings)} takes can be judged: their texts and their speech are too short.",
                f"Synthesize texts of {MIN_WORDS} words or more, then rate those takes.",
            )
        uncapped = mean_over_texts([(each.phrase, each.uncapped) for each in self.ratings if each.uncapped is not None])
        shown = mean_over_texts([(each.phrase, each.rating) for each in self.ratings if each.rating is not None])
        return Summary(**uncapped.model_dump(), shown=Interval(mean=shown.mean, low=shown.low, high=shown.high))

    def anchor_summaries(self) -> dict[str, AnchorSummary | None]:
        """Summarise each anchor; None if it has no rated clip."""
        return {name: _summarise_anchor(self.anchors[name], note) for name, note in self.anchor_notes.items()}

    def model_names(self) -> dict[str, str]:
        """Name the models that were used, by their role."""
        whisper, naturalness = self.models.whisper, self.models.naturalness
        return {
            "speaker_encoder": self.models.speaker.name,
            "mos_predictor": PREDICTOR,
            "recogniser": whisper.name if whisper is not None else RECOGNISER,
            "aligner": RECOGNISER,
            **({"gate": self.models.gate.name} if self.models.gate is not None else {}),
            **({"naturalness": naturalness.name} if naturalness is not None else {}),
        }


def _summarise_anchor(ratings: Sequence[Rating], note: str) -> AnchorSummary | None:
    # each clip of unknown text counts as a text of its own
    values = [(rating.phrase or rating.audio, rating.uncapped) for rating in ratings if rating.uncapped is not None]
    if not values:
        return None
    mean = mean_over_texts(values)
    return AnchorSummary(mean=mean.mean, low=mean.low, high=mean.high, n=mean.n_takes, note=note)


def same_voice_note(anchor: Anchor, ratings: Sequence[Rating], profiles: Mapping[str, RatingProfile]) -> str:
    """Explain why another speaker's clips give no lower bound: most sound like the narrator. Empty if they do not."""
    similar = [
        rating
        for rating in ratings
        if rating.voice is not None and rating.measures["sim"] is not None
        and rating.measures["sim"] > profiles[rating.narrator].whole.sim - 0.05
    ]  # fmt: skip
    if len(similar) * 2 <= len(ratings):
        return ""
    return f"no lower bound: {anchor.note}; this speaker is too similar to the narrator. Give other_speaker."
