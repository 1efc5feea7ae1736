"""Everything that a rating run found: ratings of takes and anchors, profiles, limits, drift, human ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.audio.dnsmos import PREDICTOR
from jobs.rate_samples.anchors import Anchor
from jobs.rate_samples.batch_statistics import mean_over_texts
from jobs.rate_samples.judge_models import JudgeModels, NarratorLimits
from jobs.rate_samples.measurements import RECOGNISER
from jobs.rate_samples.params import AnchorSummary, Drift, Interval, Rating, Summary
from jobs.rating.human_ratings import Opinions
from jobs.speaker.narrator_profile import RatingProfile


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

    def summary(self) -> Summary:
        """Summarise the batch."""
        uncapped = mean_over_texts([(rating.text, rating.uncapped) for rating in self.ratings])
        shown = mean_over_texts([(rating.text, rating.rating) for rating in self.ratings])
        return Summary(
            mean=uncapped.mean,
            low=uncapped.low,
            high=uncapped.high,
            n_takes=uncapped.n_takes,
            n_texts=uncapped.n_texts,
            shown=Interval(mean=shown.mean, low=shown.low, high=shown.high),
        )

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
            **({"naturalness": naturalness.name} if naturalness is not None else {}),
        }


def _summarise_anchor(ratings: Sequence[Rating], note: str) -> AnchorSummary | None:
    if not ratings:
        return None
    # each clip of unknown text counts as a text of its own
    mean = mean_over_texts([(rating.text or rating.audio, rating.uncapped) for rating in ratings])
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
