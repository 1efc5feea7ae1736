"""``ratings.json`` and ``evaluation.json``: takes with parts and reasons, the batch, its anchors, the verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from jobs.files.atomic_io import write_json
from jobs.rate_samples.params import AnchorSummary, Drift, Result, Summary, VoiceMean
from jobs.rate_samples.results import RatingResults, rank_voices, summarise_texts
from jobs.rating.bradley_terry import strengths
from jobs.rating.human_ratings import preferences
from jobs.rating.scoring import AUTOMATIC_CAP, MIN_SPEECH_S, MIN_WORDS, VERSION

EVALUATION = "evaluation.json"
CAVEAT = (
    f"Automatic: finding no fault does not mean 'as good as the narrator', so at most {AUTOMATIC_CAP} is shown until a "
    "person has listened. The instruments do not detect stress, phrasing, emotion, a mispronounced name, a wrong "
    "homophone or ending, breath and mouth noise, a slight metallic timbre or a drifting accent; single words are "
    "checked in English only; a similar speaker of the same sex may pass as the narrator. Under "
    f"{MIN_SPEECH_S:.0f} s or {MIN_WORDS} words the word error rate does not count, and such a take says little."
)
MIN_UPPER_BOUND = 4.3  # held-out clips of real narrators rate 4.67 to 4.90 on average
MIN_TEXTS = 10
MIN_COMPARED = 3  # texts; the interval of one text has no width, so any difference would seem certain


def build_result(rated: RatingResults, out: Path, plot: Path, report: Path, verdict: Sequence[str]) -> Result:
    """Build the result of the job."""
    ratings, summary = rated.ratings, rated.summary()
    anchors = {name: None if one is None else one.mean for name, one in rated.anchor_summaries().items()}
    text_fits = [fits for rating in ratings if (fits := rating.measures.get("text_heard")) is not None]
    return Result(
        ratings=str(out),
        report=str(report),
        evaluation=str(out.with_name(EVALUATION)),
        n_takes=summary.n_takes,
        n_texts=summary.n_texts,
        n_too_short=rated.n_too_short,
        mean_rating=round(summary.shown.mean, 2),
        mean_uncapped=round(summary.mean, 2),
        low=round(summary.low, 2),
        high=round(summary.high, 2),
        worst_rating=min(rating.rating for rating in ratings if rating.rating is not None),
        best_take=max(ratings, key=lambda rating: rating.calibrated or rating.uncapped or 0.0).audio,
        **anchors,
        voices=[voice.model_copy(update=_rounded(voice)) for voice in rank_voices(rated.ratings)],
        verdict=list(verdict),
        judges=list(dict.fromkeys(rated.model_names().values())),
        common_reasons=dict(Counter(fault for rating in ratings for fault in rating.faults).most_common()),
        n_text_heard=int(sum(text_fits)),
        n_text_compared=len(text_fits),
        plot=str(plot),
        caveat=CAVEAT,
    )


def write_ratings(out: Path, rated: RatingResults, result: Result) -> None:
    """Write ``ratings.json``."""
    texts = summarise_texts([(each.phrase, each.uncapped) for each in rated.ratings if each.uncapped is not None])
    figures = result.model_dump(
        exclude={
            "caveat",
            "ratings",
            "narrator",
            "other_speaker",
            "zero_shot",
            "verdict",
            "judges",
            "low",
            "high",
            "voices",
        }
    )
    write_json(
        out,
        {
            "format": "tts-train ratings 2",
            "rating_version": VERSION,
            "caveat": CAVEAT,
            "automatic_cap": AUTOMATIC_CAP,
            "verdict": result.verdict,
            "summary": {**figures, **rated.summary().model_dump()},
            "anchors": {
                name: None if one is None else one.model_dump() for name, one in rated.anchor_summaries().items()
            },
            "voices": [voice.model_dump() for voice in rank_voices(rated.ratings)],
            "anchor_notes": dict(rated.anchor_notes),
            "drift": rated.drift.model_dump(),
            "instruments": rated.model_names(),
            "voice_limits": {
                speaker: {"limits": asdict(one.limits) if one.limits else None, "source": one.source}
                for speaker, one in rated.limits.items()
            },
            "narrators": {speaker: asdict(profile) for speaker, profile in rated.profiles.items()},
            "people": {
                "n_scores": len(rated.opinions.scores),
                "n_votes": len(rated.opinions.votes),
                "preferences": [asdict(one) for one in preferences(rated.opinions.votes)],
                "strengths": [asdict(one) for one in strengths(rated.opinions.votes)],
                "agreement": asdict(rated.people),
            },
            "texts": [
                {"text": text, "mean": mean, "lowest": lowest, "highest": highest}
                for text, (mean, lowest, highest) in texts.items()
            ],
            "takes": [rating.model_dump() for rating in rated.ratings],
            "anchor_takes": {name: [rating.model_dump() for rating in found] for name, found in rated.anchors.items()},
        },
    )  # fmt: skip


def write_evaluation(out: Path, rated: RatingResults, result: Result) -> None:
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


def _rounded(voice: VoiceMean) -> dict[str, float]:
    return {name: round(getattr(voice, name), 2) for name in ("mean", "low", "high")}


def compare_voices(voices: Sequence[VoiceMean]) -> list[str]:
    """Say whether the best of several voices is certainly the best; by place, because names are strangers' words."""
    if len(voices) < 2:
        return []
    best, second = voices[:2]
    values = f"{best.mean:.2f} against {second.mean:.2f}"
    if best.low > second.high and min(best.n_texts, second.n_texts) >= MIN_COMPARED:
        return [f"Of {len(voices)} voices the first rates above all others ({values})."]
    return [f"The best two of {len(voices)} voices differ by chance or little ({values}): let a person compare them."]


def verdict_sentences(summary: Summary, anchors: Mapping[str, AnchorSummary | None], drift: Drift) -> list[str]:
    """Write the verdict, the most important sentence first.

    Two means count as different only if their intervals do not overlap and are of ``MIN_COMPARED`` texts or more.
    """
    sentences = [_range(summary)]
    is_comparable = summary.n_texts >= MIN_COMPARED
    narrator, other, clone = (anchors.get(name) for name in ("narrator", "other_speaker", "zero_shot"))
    if clone is not None:
        sentences.append(_against_clone(summary, clone))
    if narrator is not None:
        if narrator.mean < MIN_UPPER_BOUND:
            sentences.append(
                f"The narrator's own held-out clips rate only {narrator.mean:.1f}: the models do not suit this "
                "narrator, or the clips are poor. Compare the takes' ratings with that value."
            )
        elif not is_comparable:
            sentences.append(f"Too few texts for a comparison with the narrator's own clips ({narrator.mean:.1f}).")
        elif summary.high < narrator.low:
            sentences.append(f"The narrator's own held-out clips rate {narrator.mean:.1f}: the takes are below them.")
        else:
            sentences.append(
                f"The models find no difference to the narrator's own held-out clips ({narrator.mean:.1f})."
            )
    if other is not None and summary.low <= other.high:
        sentences.append(f"The takes do not rate above another speaker ({other.mean:.1f}).")
    sentences += [f"Drift: {flag}." for flag in drift.flags]
    if summary.n_texts < MIN_TEXTS:
        few = "One text is little" if summary.n_texts == 1 else f"{summary.n_texts} texts are few"
        sentences.append(f"{few}: compare checkpoints by at least {MIN_TEXTS} fixed texts.")
    return sentences


def _range(summary: Summary) -> str:
    if summary.n_takes == 1:
        return f"One take rates {summary.mean:.2f}; the variation between takes is unknown."
    if summary.n_texts == 1:
        return f"{summary.n_takes} takes of one text rate {summary.mean:.2f} on average."
    interval = f"95 % interval {summary.low:.2f} to {summary.high:.2f}"
    return f"{summary.n_takes} takes of {summary.n_texts} texts rate {summary.mean:.2f} on average ({interval})."


def _against_clone(summary: Summary, clone: AnchorSummary) -> str:
    values = f"{summary.mean:.2f} against {clone.mean:.2f}"
    if min(summary.n_texts, clone.n) < MIN_COMPARED:
        return f"Too few texts for a comparison with the clone without training ({values}): rate {MIN_TEXTS} or more."
    if summary.low > clone.high:
        return f"The voice rates above the clone without training ({values})."
    if summary.high < clone.low:
        return f"Training did not help: the clone without training rates higher ({values}). Use the clone."
    return f"No certain difference to the clone without training ({values}): let a person compare them in a blind test."
