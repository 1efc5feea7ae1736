"""Summary of a loop: at most ten lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.refine_voice.params import AUTOMATIC_CAP, Round

ANCHORS = {
    "narrator": "the narrator's own clips, the most there is",
    "zero_shot": "the base's clone, without training",
    "other_speaker": "another speaker, the least there is",
}
CAVEAT = (
    f"Automatic ratings show at most {AUTOMATIC_CAP}: they hear neither stress, phrasing, emotion nor a mispronounced "
    "name. Let a person listen before you decide."
)
MOST_DECISIONS = 5


def summary_of(
    verdict: str, best: Round, rounds: Sequence[Round], anchors: Mapping[str, Any], *, rated_by: str
) -> list[str]:
    """At most ten lines for an agent."""
    count = "1 round" if len(rounds) == 1 else f"{len(rounds)} rounds"
    interval = f"{best.low:.2f} to {best.high:.2f} with 95 % certainty"
    lines = [
        f"{verdict[0].upper()}{verdict[1:]}",
        f"{count}; the best is round {best.iteration}: {best.uncapped:.2f} uncapped ({interval}), "
        f"{best.n_takes} takes, {best.stop_rate:.0%} stop by themselves.",
    ]
    if anchors:
        told = "; ".join(f"{name} {anchors[key]['mean']:.2f}" for key, name in ANCHORS.items() if key in anchors)
        lines.append(f"Rated alike: {told}.")
    shown = rounds[-MOST_DECISIONS:]
    lines += [f"Round {one.iteration}: {one.decision}." for one in shown]
    lines.append("final_model is the best round's voice, not the last one's.")
    return [*lines, CAVEAT] if rated_by == "automatic" else lines
