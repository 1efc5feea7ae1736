"""Summary of a loop in at most ten lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.refine_voice.params import AUTOMATIC_CAP, Round

ANCHORS = {
    "narrator": "narrator's held-out clips (upper bound)",
    "zero_shot": "the base's clone without training",
    "other_speaker": "another speaker (lower bound)",
}
CAVEAT = (
    f"Automatic ratings are capped at {AUTOMATIC_CAP}: they do not detect wrong stress, phrasing, emotion or a "
    "mispronounced name. Let a person listen before you decide."
)
MAX_DECISIONS = 5


def summary_lines(
    verdict: str, best: Round, rounds: Sequence[Round], anchors: Mapping[str, Any], *, rated_by: str
) -> list[str]:
    """Write at most ten lines."""
    count = "1 round" if len(rounds) == 1 else f"{len(rounds)} rounds"
    interval = f"{best.low:.2f} to {best.high:.2f} with 95 % certainty"
    lines = [
        f"{verdict[0].upper()}{verdict[1:]}",
        f"{count}; the best is round {best.iteration}: {best.uncapped:.2f} uncapped ({interval}), "
        f"{best.n_takes} takes, {best.stop_rate:.0%} end by themselves.",
    ]
    if anchors:
        values = "; ".join(f"{name} {anchors[key]['mean']:.2f}" for key, name in ANCHORS.items() if key in anchors)
        lines.append(f"For comparison: {values}.")
    shown = rounds[-MAX_DECISIONS:]
    lines += [f"Round {one.iteration}: {one.decision}." for one in shown]
    lines.append("final_model is the best round's voice, not the last one's.")
    return [*lines, CAVEAT] if rated_by == "automatic" else lines
