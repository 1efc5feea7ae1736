"""What the figures of a run say, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.rate_samples.params import AnchorSummary, Drift, Summary

GOOD_CEILING = 4.3  # held-out clips of real narrators rate 4.67 to 4.90 on average
MIN_TEXTS = 10


def conclude(summary: Summary, anchors: Mapping[str, AnchorSummary | None], drift: Drift) -> list[str]:
    """Sentences, the most important first.

    Two means differ when neither lies in the other's interval; otherwise that is said.
    """
    told = [_range(summary)]
    narrator, other, clone = (anchors.get(name) for name in ("narrator", "other_speaker", "zero_shot"))
    if clone is not None:
        told.append(_against_clone(summary, clone))
    if narrator is not None:
        if narrator.mean < GOOD_CEILING:
            told.append(
                f"The narrator's own held-out clips rate {narrator.mean:.1f} only: the instruments do not suit this "
                "narrator or the clips are poor, so read the takes' ratings against that."
            )
        elif summary.high < narrator.low:
            told.append(f"The narrator's own held-out clips rate {narrator.mean:.1f}: the takes are below them.")
        else:
            told.append(
                f"These instruments hear no difference to the narrator's own held-out clips ({narrator.mean:.1f})."
            )
    if other is not None and summary.low <= other.high:
        told.append(f"The takes do not rate above another speaker ({other.mean:.1f}).")
    told += [f"Drift: {flag}." for flag in drift.flags]
    if summary.n_texts < MIN_TEXTS:
        told.append(f"{summary.n_texts} texts are few: compare checkpoints by {MIN_TEXTS} fixed texts and more.")
    return told


def _range(summary: Summary) -> str:
    texts = f"{summary.n_takes} takes of {summary.n_texts} texts"
    if summary.n_takes == 1:
        return f"One take rates {summary.mean:.2f}; how much takes differ is not known."
    return f"{texts} rate {summary.mean:.2f} on average (95 % interval {summary.low:.2f} to {summary.high:.2f})."


def _against_clone(summary: Summary, clone: AnchorSummary) -> str:
    seen = f"{summary.mean:.2f} against {clone.mean:.2f}"
    if summary.low > clone.high:
        return f"The voice rates above the clone without training ({seen})."
    if summary.high < clone.low:
        return f"Training did not help: the clone without training rates higher ({seen}). Use the clone."
    return f"No difference to the clone without training is certain ({seen}): let a person compare them blindly."
