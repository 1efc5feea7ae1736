"""Verdict of a run in sentences: interval, comparison with the anchors, drift."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.rate_samples.params import AnchorSummary, Drift, Summary

MIN_UPPER_BOUND = 4.3  # held-out clips of real narrators rate 4.67 to 4.90 on average
MIN_TEXTS = 10


def verdict_sentences(summary: Summary, anchors: Mapping[str, AnchorSummary | None], drift: Drift) -> list[str]:
    """Write the verdict, the most important sentence first.

    Two means count as different only if their intervals do not overlap.
    """
    sentences = [_range(summary)]
    narrator, other, clone = (anchors.get(name) for name in ("narrator", "other_speaker", "zero_shot"))
    if clone is not None:
        sentences.append(_against_clone(summary, clone))
    if narrator is not None:
        if narrator.mean < MIN_UPPER_BOUND:
            sentences.append(
                f"The narrator's own held-out clips rate only {narrator.mean:.1f}: the models do not suit this "
                "narrator, or the clips are poor. Compare the takes' ratings with that value."
            )
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
        sentences.append(f"{summary.n_texts} texts are few: compare checkpoints by at least {MIN_TEXTS} fixed texts.")
    return sentences


def _range(summary: Summary) -> str:
    texts = f"{summary.n_takes} takes of {summary.n_texts} texts"
    if summary.n_takes == 1:
        return f"One take rates {summary.mean:.2f}; the variation between takes is unknown."
    return f"{texts} rate {summary.mean:.2f} on average (95 % interval {summary.low:.2f} to {summary.high:.2f})."


def _against_clone(summary: Summary, clone: AnchorSummary) -> str:
    values = f"{summary.mean:.2f} against {clone.mean:.2f}"
    if summary.low > clone.high:
        return f"The voice rates above the clone without training ({values})."
    if summary.high < clone.low:
        return f"Training did not help: the clone without training rates higher ({values}). Use the clone."
    return f"No certain difference to the clone without training ({values}): let a person compare them in a blind test."
