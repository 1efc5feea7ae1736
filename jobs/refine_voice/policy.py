"""Policy of the loop: after each round, stop, continue, or adjust how the next round trains; with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from jobs.rating.confidence_interval import Scores, difference, mean_over_texts

MAX_ROUNDS_WITHOUT_GAIN = 3  # two adjustments have been tried by then
LR_STEP = 0.5
STEPS_STEP, MAX_STEPS_FACTOR = 2.0, 4.0
# Changes of measures between 0 and 1 that count; a dozen takes resolve no smaller ones.
STOP_RATE_LOSS, INTELLIGIBILITY_LOSS = 0.1, 0.1
# Part ``voice`` of the rating: 1 at the narrator's own SIM, 0 at ``VoiceLimits.zero`` (jobs/rating/scoring.py). Two
# recordings of one speaker seldom fall to half-way.
FAR_VOICE = 0.5

Freeze = Literal["none", "code_predictor", "talker"]


@dataclass(frozen=True)
class RoundRating:
    """Rating of a round's takes; parts are 0 to 1, None if not measured, as when a person rates.

    Attributes:
        shown: mean rating as shown; compared with the threshold.
        scores: uncapped ratings by text, or a person's scores.
        stop_rate: share of takes that ended by themselves.
    """

    shown: float
    scores: Scores
    stop_rate: float = 1.0
    intelligibility: float | None = None
    voice: float | None = None

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return mean_over_texts(self.scores)


@dataclass(frozen=True)
class Adjustment:
    """Changes to a round's training, relative to the caller's arguments.

    ``freeze`` None: the caller's choice or the default of ``start_training``.
    """

    lr_factor: float = 1.0
    steps_factor: float = 1.0
    freeze: Freeze | None = None

    def __str__(self) -> str:
        parts = [f"lr x {self.lr_factor:g}", f"steps x {self.steps_factor:g}"]
        return ", ".join([*parts, f"freeze {self.freeze}"] if self.freeze else parts)


@dataclass(frozen=True)
class TrainingOutcome:
    """Facts about a round's training that the policy uses; ``still_falling``: the validation loss, at its end."""

    method: str = "full"
    freeze: Freeze = "none"
    still_falling: bool = False


@dataclass(frozen=True)
class Decision:
    """Decision after a round, with the measures that it rests on.

    ``from_best``: the next round starts from the best voice, not from the last.
    """

    stops: bool
    from_best: bool
    adjustment: Adjustment
    reason: str


def decide(
    rounds: Sequence[RoundRating],
    adjustments: Sequence[Adjustment],
    outcome: TrainingOutcome,
    *,
    threshold: float,
    max_iterations: int,
    zero_shot: RoundRating | None = None,
) -> Decision:
    """Decide how to continue after the last of the rounds; ``zero_shot`` rates the untrained base's clone."""
    last, current = rounds[-1], adjustments[-1]
    if last.shown >= threshold:
        return Decision(True, False, current, f"{last.shown:.2f} meets {threshold:g}: done")
    if len(rounds) >= max_iterations:
        return Decision(True, False, current, f"{last.shown:.2f} is below {threshold:g}; it was the last round")
    before = rounds[:-1]
    best = before[best_index(before)] if before else None
    gain = difference(last.scores, best.scores) if best else None
    if best is None or gain is None or gain.is_gain:
        rank = f"{last.mean:.2f} is the first" if gain is None else f"{last.mean:.2f} is the best so far, {gain}"
        adjustment, reason = _adjust_after_gain(last, current, outcome, best or zero_shot)
        return Decision(False, False, adjustment, f"{rank}: continue from it{reason}")
    if rounds_without_gain(rounds) >= MAX_ROUNDS_WITHOUT_GAIN:
        reason = f"{last.mean:.2f}: no significant gain in {MAX_ROUNDS_WITHOUT_GAIN} rounds, the last {gain}: stop"
        return Decision(True, False, current, reason)
    adjustment, reason = _adjust_after_loss(last, best, current, outcome, adjustments)
    reason = f"{last.mean:.2f} is no gain on {best.mean:.2f}, {gain}: back to the best, {reason}"
    return Decision(False, True, adjustment, reason)


def best_index(rounds: Sequence[RoundRating]) -> int:
    """Return the index of the best round, the earlier of equals."""
    return max(range(len(rounds)), key=lambda index: (rounds[index].mean, -index))


def rounds_without_gain(rounds: Sequence[RoundRating]) -> int:
    """Count the rounds since the last that gained on all before it."""
    best, without = rounds[0], 0
    for rating in rounds[1:]:
        without = 0 if difference(rating.scores, best.scores).is_gain else without + 1
        best = rating if rating.mean > best.mean else best
    return without


def describe_verdict(best: RoundRating, zero_shot: RoundRating | None, *, threshold: float) -> str:
    """Say whether the threshold is met and whether fine-tuning helped."""
    is_met = best.shown >= threshold
    text = f"{best.shown:.2f} of 5" + (f", {threshold:g} is met" if is_met else f", {threshold:g} is not met")
    if zero_shot is None:
        return f"{text}. Not compared with the base's own clone."
    gain = difference(best.scores, zero_shot.scores)
    if gain.is_gain:
        return f"{text}; fine-tuning helped: {gain} on the base's clone, which has {zero_shot.mean:.2f} untrained."
    clone = f"the base's clone has {zero_shot.mean:.2f} without training"
    if gain.is_loss:
        return f"{text}; fine-tuning did not help, it harmed: {clone}, the voice {gain}. Use the zero-shot clone."
    return f"{text}; fine-tuning did not help: {clone}, and {gain} may be chance. Use the zero-shot clone."


def _adjust_after_gain(
    last: RoundRating, current: Adjustment, outcome: TrainingOutcome, reference: RoundRating | None
) -> tuple[Adjustment, str]:
    worse = _describe_worse_words(last, reference) if reference else ""
    if worse and outcome.method == "full" and outcome.freeze == "none":
        return replace(current, freeze="code_predictor"), f", with the code predictor frozen: {worse}"
    if outcome.still_falling and current.steps_factor < MAX_STEPS_FACTOR:
        longer = current.steps_factor * STEPS_STEP
        reason = f", steps x {longer:g}: validation loss still fell at the round's end"
        return replace(current, steps_factor=longer), reason
    return current, ""


def _adjust_after_loss(
    last: RoundRating,
    best: RoundRating,
    current: Adjustment,
    outcome: TrainingOutcome,
    tried: Sequence[Adjustment],
) -> tuple[Adjustment, str]:
    """Choose the adjustment that the measures call for; if it was tried before, with a lower learning rate."""
    slower = replace(current, lr_factor=current.lr_factor * LR_STEP)
    adjustment, reason = slower, "nothing else stands out"
    is_full = outcome.method == "full"
    worse = _describe_worse_words(last, best)
    if worse:
        frozen = replace(slower, freeze="code_predictor")
        adjustment, reason = (frozen if is_full and outcome.freeze == "none" else slower), worse
    elif last.voice is not None and last.voice < FAR_VOICE:
        reason = f"the voice is far from the narrator's ({last.voice:.2f} of 1)"
        if is_full and outcome.freeze != "none":
            adjustment = replace(current, freeze="none")
        elif current.steps_factor < MAX_STEPS_FACTOR:
            adjustment = replace(current, steps_factor=current.steps_factor * STEPS_STEP)
    elif outcome.still_falling and current.steps_factor < MAX_STEPS_FACTOR:
        adjustment = replace(current, steps_factor=current.steps_factor * STEPS_STEP)
        reason = "validation loss still fell at the round's end"
    if adjustment in tried:
        adjustment = replace(adjustment, lr_factor=adjustment.lr_factor * LR_STEP)
        reason = f"{reason}, and this was tried at a higher rate"
    return adjustment, f"{adjustment}: {reason}"


def _describe_worse_words(last: RoundRating, reference: RoundRating) -> str:
    """Say which of stop rate and intelligibility got worse; empty if neither did."""
    if last.stop_rate <= reference.stop_rate - STOP_RATE_LOSS:
        return f"fewer takes end by themselves ({last.stop_rate:.0%}, before {reference.stop_rate:.0%})"
    now, before = last.intelligibility, reference.intelligibility
    if now is not None and before is not None and now <= before - INTELLIGIBILITY_LOSS:
        return f"words are less clear ({now:.2f} of 1, before {before:.2f})"
    return ""
