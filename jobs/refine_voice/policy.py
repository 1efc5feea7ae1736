"""What comes after a round: stop, go on, or change how the next one learns; and why, with the measures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from jobs.refine_voice.significance import Scores, difference, mean_of

MOST_WITHOUT_GAIN = 3  # two changes have been tried by then
SLOWER, LONGER, LONGEST = 0.5, 2.0, 4.0
# Of 0 to 1, and no finer than a dozen takes tell. Below FAR the voice is rated as another speaker (evaluation.md's ramp
# ends at a SIM of 0.72; half-way is what two recordings of one speaker seldom reach).
STOPS_LESS, WORDS_LESS, FAR = 0.1, 0.1, 0.5

Freeze = Literal["none", "code_predictor", "talker"]


@dataclass(frozen=True)
class Heard:
    """What a round's takes are worth.

    Attributes:
        shown: mean rating as shown; the threshold is held against it.
        scores: by text, without the cap; a person's where a person rated.
        stop_rate: share of takes that ended by themselves.
        intelligibility: mean part, 0 to 1; None where it was not measured, as when a person rates.
        voice: the same for the likeness of the speaker.
    """

    shown: float
    scores: Scores
    stop_rate: float = 1.0
    intelligibility: float | None = None
    voice: float | None = None

    @property
    def mean(self) -> float:
        """Of the scores."""
        return mean_of(self.scores)


@dataclass(frozen=True)
class Way:
    """How a round learns, relative to what the caller asked for.

    Attributes:
        lr_factor: of the learning rate.
        steps_factor: of the steps or epochs.
        freeze: what stays as it is; None: as asked, or start_training's own choice.
    """

    lr_factor: float = 1.0
    steps_factor: float = 1.0
    freeze: Freeze | None = None

    def __str__(self) -> str:
        told = [f"lr x {self.lr_factor:g}", f"steps x {self.steps_factor:g}"]
        return ", ".join([*told, f"freeze {self.freeze}"] if self.freeze else told)


@dataclass(frozen=True)
class Learnt:
    """How a round went, beside its sound.

    Attributes:
        method: full or lora.
        freeze: what was frozen.
        still_falling: the validation loss fell until the round's end.
    """

    method: str = "full"
    freeze: Freeze = "none"
    still_falling: bool = False


@dataclass(frozen=True)
class Step:
    """What to do now.

    Attributes:
        stops: no further round.
        from_best: the next round starts from the best voice, not from the last.
        way: how the next round learns.
        why: for people: the decision and the measures it rests on.
    """

    stops: bool
    from_best: bool
    way: Way
    why: str


def decide(
    rounds: Sequence[Heard],
    ways: Sequence[Way],
    learnt: Learnt,
    *,
    threshold: float,
    max_iterations: int,
    zero_shot: Heard | None = None,
) -> Step:
    """Decide after a round.

    Args:
        rounds: so far, the last one last.
        ways: how each of them learnt.
        learnt: how the last one went.
        threshold: that ends the loop.
        max_iterations: rounds in all.
        zero_shot: the untrained base's clone, where it was rated.
    """
    last, way = rounds[-1], ways[-1]
    if last.shown >= threshold:
        return Step(True, False, way, f"{last.shown:.2f} meets {threshold:g}: done")
    if len(rounds) >= max_iterations:
        return Step(True, False, way, f"{last.shown:.2f} is below {threshold:g}; it was the last round")
    before = rounds[:-1]
    best = before[best_of(before)] if before else None
    gain = difference(last.scores, best.scores) if best else None
    if best is None or gain is None or gain.is_gain:
        told = f"{last.mean:.2f} is the first" if gain is None else f"{last.mean:.2f} is the best so far, {gain}"
        change, why = _after_a_gain(last, way, learnt, best or zero_shot)
        return Step(False, False, change, f"{told}: go on from it{why}")
    if rounds_without_gain(rounds) >= MOST_WITHOUT_GAIN:
        told = f"{MOST_WITHOUT_GAIN} rounds brought nothing that chance would not, the last {gain}"
        return Step(True, False, way, f"{last.mean:.2f}: {told}: more will not")
    change, why = _remedy(last, best, way, learnt, ways)
    return Step(False, True, change, f"{last.mean:.2f} is no gain on {best.mean:.2f}, {gain}: back to the best, {why}")


def best_of(rounds: Sequence[Heard]) -> int:
    """Place of the best round, the earlier of equals."""
    return max(range(len(rounds)), key=lambda place: (rounds[place].mean, -place))


def rounds_without_gain(rounds: Sequence[Heard]) -> int:
    """Rounds since the last that gained on all before it."""
    best, without = rounds[0], 0
    for one in rounds[1:]:
        without = 0 if difference(one.scores, best.scores).is_gain else without + 1
        best = one if one.mean > best.mean else best
    return without


def verdict_of(best: Heard, zero_shot: Heard | None, *, threshold: float) -> str:
    """In words, what the whole was worth."""
    met = best.shown >= threshold
    told = f"{best.shown:.2f} of 5" + (f", {threshold:g} is met" if met else f", {threshold:g} is not met")
    if zero_shot is None:
        return f"{told}. Not compared with the base's own clone."
    gain = difference(best.scores, zero_shot.scores)
    if gain.is_gain:
        return f"{told}; fine-tuning helped: {gain} on the base's clone, which has {zero_shot.mean:.2f} untrained."
    clone = f"the base's clone has {zero_shot.mean:.2f} without training"
    if gain.is_loss:
        return f"{told}; fine-tuning did not help, it harmed: {clone}, the voice {gain}. Use the zero-shot clone."
    return f"{told}; fine-tuning did not help: {clone}, and {gain} may be chance. Use the zero-shot clone."


def _after_a_gain(last: Heard, way: Way, learnt: Learnt, against: Heard | None) -> tuple[Way, str]:
    worse = _words_suffer(last, against) if against else ""
    if worse and learnt.method == "full" and learnt.freeze == "none":
        return replace(way, freeze="code_predictor"), f", with the code predictor frozen: {worse}"
    if learnt.still_falling and way.steps_factor < LONGEST:
        longer = way.steps_factor * LONGER
        return replace(way, steps_factor=longer), f", steps x {longer:g}: validation loss still fell at the round's end"
    return way, ""


def _remedy(last: Heard, best: Heard, way: Way, learnt: Learnt, tried: Sequence[Way]) -> tuple[Way, str]:
    """The change that the measures call for; a slower rate where it was tried already."""
    slower = replace(way, lr_factor=way.lr_factor * SLOWER)
    change, why = slower, "nothing else stands out"
    is_full = learnt.method == "full"
    worse = _words_suffer(last, best)
    if worse:
        frozen = replace(slower, freeze="code_predictor")
        change, why = (frozen if is_full and learnt.freeze == "none" else slower), worse
    elif last.voice is not None and last.voice < FAR:
        why = f"the voice is far from the narrator's ({last.voice:.2f} of 1)"
        if is_full and learnt.freeze != "none":
            change = replace(way, freeze="none")
        elif way.steps_factor < LONGEST:
            change = replace(way, steps_factor=way.steps_factor * LONGER)
    elif learnt.still_falling and way.steps_factor < LONGEST:
        change = replace(way, steps_factor=way.steps_factor * LONGER)
        why = "validation loss still fell at the round's end"
    if change in tried:
        change, why = replace(change, lr_factor=change.lr_factor * SLOWER), f"{why}, and this was tried faster"
    return change, f"{change}: {why}"


def _words_suffer(last: Heard, than: Heard) -> str:
    """What of words and ends got worse, in words."""
    if last.stop_rate <= than.stop_rate - STOPS_LESS:
        return f"fewer takes end by themselves ({last.stop_rate:.0%}, before {than.stop_rate:.0%})"
    known = last.intelligibility, than.intelligibility
    if known[0] is not None and known[1] is not None and known[0] <= known[1] - WORDS_LESS:
        return f"words are less clear ({known[0]:.2f} of 1, before {known[1]:.2f})"
    return ""
