"""``ratings.json`` and ``evaluation.json``: takes with parts and reasons, the batch, its anchors, who judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs.audio.dnsmos import PREDICTOR
from jobs.files import write_json
from jobs.rate_samples.aggregate import by_text, mean_of
from jobs.rate_samples.anchors import Anchor
from jobs.rate_samples.evaluator import Limits
from jobs.rate_samples.judge_models import Judges
from jobs.rate_samples.measurements import RECOGNISER
from jobs.rate_samples.params import AnchorSummary, Drift, Interval, Rating, Result, Summary
from jobs.rating.human_ratings import Opinions, preferences
from jobs.rating.scoring import AUTOMATIC_CAP, MIN_SPEECH_S, MIN_WORDS, VERSION
from jobs.speaker.narrator_profile import Profile

EVALUATION = "evaluation.json"
CAVEAT = (
    f"Automatic: no fault that these instruments hear is not 'as good as the narrator', so it is shown as at most "
    f"{AUTOMATIC_CAP} until a person has listened. Nothing here hears stress, phrasing, emotion, a mispronounced name, "
    "a wrong homophone, breath and mouth noise, a slight metallic colour or a drifting accent; one wrong word in "
    f"twenty is barely seen; a similar narrator of the same sex may pass for the voice. Under {MIN_SPEECH_S:.0f} s or "
    f"{MIN_WORDS} words the words are not judged by their error rate, and such a take says little."
)


@dataclass(frozen=True)
class Rated:
    """Everything that a run found."""

    ratings: list[Rating]
    anchors: Mapping[str, list[Rating]]
    anchor_notes: Mapping[str, str]
    profiles: Mapping[str, Profile]
    limits: Mapping[str, Limits]
    drift: Drift
    judges: Judges
    said: Opinions

    def summary(self) -> Summary:
        """The batch as one figure."""
        uncapped = mean_of([(rating.text, rating.uncapped) for rating in self.ratings])
        shown = mean_of([(rating.text, rating.rating) for rating in self.ratings])
        return Summary(
            mean=uncapped.mean,
            low=uncapped.low,
            high=uncapped.high,
            n_takes=uncapped.n_takes,
            n_texts=uncapped.n_texts,
            shown=Interval(mean=shown.mean, low=shown.low, high=shown.high),
        )

    def anchor_summaries(self) -> dict[str, AnchorSummary | None]:
        """Each anchor as one figure, or null where there was nothing to rate."""
        return {name: _anchor_summary(self.anchors[name], note) for name, note in self.anchor_notes.items()}

    def instruments(self) -> dict[str, str]:
        """Which models judged."""
        listener, naturalness = self.judges.listener, self.judges.naturalness
        return {
            "speaker_encoder": self.judges.speaker.name,
            "mos_predictor": PREDICTOR,
            "recogniser": listener.name if listener is not None else RECOGNISER,
            "aligner": RECOGNISER,
            **({"naturalness": naturalness.name} if naturalness is not None else {}),
        }


def _anchor_summary(ratings: Sequence[Rating], note: str) -> AnchorSummary | None:
    if not ratings:
        return None
    # clips without a known text are a text each
    mean = mean_of([(rating.text or rating.audio, rating.uncapped) for rating in ratings])
    return AnchorSummary(mean=mean.mean, low=mean.low, high=mean.high, n=mean.n_takes, note=note)


def same_voice_note(anchor: Anchor, ratings: Sequence[Rating], profiles: Mapping[str, Profile]) -> str:
    """Why another speaker's clips are no floor: they sound like the narrator; empty when they do not."""
    near = [
        rating
        for rating in ratings
        if rating.voice is not None and rating.measures["sim"] is not None
        and rating.measures["sim"] > profiles[rating.narrator].whole.sim - 0.05
    ]  # fmt: skip
    if len(near) * 2 <= len(ratings):
        return ""
    return f"no floor: {anchor.note}, and it sounds like the narrator himself. Give other_speaker."


def summarise(rated: Rated, out: Path, plot: Path, report: Path, verdict: Sequence[str]) -> Result:
    """What the job answers with."""
    ratings, summary = rated.ratings, rated.summary()
    anchors = {name: None if one is None else one.mean for name, one in rated.anchor_summaries().items()}
    compared = [heard for rating in ratings if (heard := rating.measures.get("text_heard")) is not None]
    return Result(
        ratings=str(out),
        report=str(report),
        evaluation=str(out.with_name(EVALUATION)),
        n_takes=summary.n_takes,
        n_texts=summary.n_texts,
        mean_rating=round(summary.shown.mean, 2),
        mean_uncapped=round(summary.mean, 2),
        low=round(summary.low, 2),
        high=round(summary.high, 2),
        worst_rating=min(rating.rating for rating in ratings),
        best_take=max(ratings, key=lambda rating: rating.uncapped).audio,
        **anchors,
        verdict=list(verdict),
        judges=list(dict.fromkeys(rated.instruments().values())),
        common_reasons=dict(Counter(fault for rating in ratings for fault in rating.faults).most_common()),
        n_text_heard=int(sum(compared)),
        n_text_compared=len(compared),
        plot=str(plot),
        caveat=CAVEAT,
    )


def write_ratings(out: Path, rated: Rated, result: Result) -> None:
    """Write ``ratings.json``."""
    texts = by_text([(rating.text, rating.uncapped) for rating in rated.ratings])
    told = result.model_dump(
        exclude={"caveat", "ratings", "narrator", "other_speaker", "zero_shot", "verdict", "judges", "low", "high"}
    )
    write_json(
        out,
        {
            "format": "tts-train ratings 2",
            "rating_version": VERSION,
            "caveat": CAVEAT,
            "automatic_cap": AUTOMATIC_CAP,
            "verdict": result.verdict,
            "summary": {**told, **rated.summary().model_dump()},
            "anchors": {
                name: None if one is None else one.model_dump() for name, one in rated.anchor_summaries().items()
            },
            "anchor_notes": dict(rated.anchor_notes),
            "drift": rated.drift.model_dump(),
            "instruments": rated.instruments(),
            "voice_limits": {
                speaker: {"limits": asdict(one.voice) if one.voice else None, "source": one.source}
                for speaker, one in rated.limits.items()
            },
            "narrators": {speaker: asdict(profile) for speaker, profile in rated.profiles.items()},
            "people": {
                "n_scores": len(rated.said.scores),
                "n_votes": len(rated.said.votes),
                "preferences": [asdict(one) for one in preferences(rated.said.votes)],
            },
            "texts": [
                {"text": text, "mean": mean, "lowest": lowest, "highest": highest}
                for text, (mean, lowest, highest) in texts.items()
            ],
            "takes": [rating.model_dump() for rating in rated.ratings],
            "anchor_takes": {name: [rating.model_dump() for rating in found] for name, found in rated.anchors.items()},
        },
    )  # fmt: skip


def write_evaluation(out: Path, rated: Rated, result: Result) -> None:
    """Write ``evaluation.json`` beside the ratings: phrases, ratings and their average, as the original skill."""
    write_json(
        out.with_name(EVALUATION),
        {
            "average_rating": result.mean_rating,
            "rated_by": "automatic",
            "samples": [
                {
                    "phrase": rating.text,
                    "audio": rating.audio,
                    "rating": rating.rating,
                    "person": rating.person,
                    "reasons": rating.reasons,
                    "duration_s": rating.measures.get("duration_s"),
                }
                for rating in rated.ratings
            ],
        },
    )
