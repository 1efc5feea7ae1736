"""What comes after a round: stop, go on, or go back and learn more slowly. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_GAIN = 0.05  # a smaller one is the noise of a few sentences
SLOWER = 0.5
MOST_WITHOUT_GAIN = 2


@dataclass(frozen=True)
class Step:
    """What to do now.

    Attributes:
        stops: no further round.
        from_best: the next round starts from the best voice, not from the last.
        lr_factor: of the next round's learning rate, relative to the first round's.
        why: for people.
    """

    stops: bool
    from_best: bool
    lr_factor: float
    why: str


def decide(ratings: Sequence[float], lr_factor: float, *, threshold: float, max_iterations: int) -> Step:
    """Decide after a round.

    Args:
        ratings: of the rounds so far, 1 to 5.
        lr_factor: of the last round.
        threshold: that ends the loop.
        max_iterations: rounds in all.
    """
    last, before = ratings[-1], list(ratings[:-1])
    if last >= threshold:
        return Step(True, False, lr_factor, f"{last:.2f} meets {threshold:g}: done")
    if len(ratings) >= max_iterations:
        return Step(True, False, lr_factor, f"{last:.2f} is below {threshold:g}; it was the last round")
    if not before or last > max(before) + LEAST_GAIN:
        return Step(False, False, lr_factor, f"{last:.2f} is the best so far: go on from it")
    if rounds_without_gain(ratings) >= MOST_WITHOUT_GAIN:
        return Step(True, False, lr_factor, f"{last:.2f}: {MOST_WITHOUT_GAIN} rounds brought nothing: more will not")
    slower = lr_factor * SLOWER
    return Step(False, True, slower, f"{last:.2f} is no gain on {max(before):.2f}: back to the best, lr x {slower:g}")


def best_of(ratings: Sequence[float]) -> int:
    """Place of the best round, the earlier of equals."""
    return max(range(len(ratings)), key=lambda place: (ratings[place], -place))


def rounds_without_gain(ratings: Sequence[float]) -> int:
    """Rounds since the last that gained on all before it."""
    best, without = ratings[0], 0
    for rating in ratings[1:]:
        gained = rating > best + LEAST_GAIN
        without = 0 if gained else without + 1
        best = max(best, rating)
    return without


def verdict_of(rating: float, zero_shot: float | None, *, met: bool, threshold: float) -> str:
    """In words, what the whole was worth."""
    told = f"{rating:.2f} of 5" + (f", {threshold:g} is met" if met else f", {threshold:g} is not met")
    if zero_shot is None:
        return f"{told}. Not compared with the base's own clone."
    if rating > zero_shot + LEAST_GAIN:
        return f"{told}; without training it was {zero_shot:.2f}."
    return f"{told}; fine-tuning did not help: the base's clone has {zero_shot:.2f} without training. Use that."
