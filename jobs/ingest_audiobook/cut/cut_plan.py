"""Plan of cuts in a stretch of words: at ends of sentences that are pauses, else at clauses, else at other pauses.

Each cut and each clip has a cost; the plan is the cheapest one. Costs are compared with that of a clip's length, which
is 1 for a clip of twice the wanted length.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits

Break = Literal["sentence", "clause", "none"]

MIN_PAUSE_S = 0.06  # a shorter gap between words is no pause: a cut there counts as a cut within speech
CLEAR_PAUSE_S = 0.12  # real narration: ends of sentences have more; gaps between other words mostly have less
SHORT_CLIP_COST = 6.0  # it is rejected
CUT_COST: dict[Break, float] = {"sentence": 0.0, "clause": 1.5, "none": 4.0}
FAINT_PAUSE_COST = 6.0
NO_PAUSE_COST = 30.0


@dataclass(frozen=True)
class Gap:
    """The gap between two words, or before the first or after the last: times in seconds, and what ends there.

    ``may_cut`` is False between spoken words that one written word stands for.
    """

    from_s: float
    to_s: float
    ends: Break = "none"
    may_cut: bool = True

    @property
    def pause_s(self) -> float:
        """Length of the silence."""
        return self.to_s - self.from_s

    def clip_end_s(self, pad_s: float) -> float:
        """Return where a clip before this gap ends: ``pad_s`` after the speech, at most in the middle."""
        return min(self.from_s + pad_s, (self.from_s + self.to_s) / 2)

    def clip_start_s(self, pad_s: float) -> float:
        """Return where a clip after this gap starts."""
        return max(self.to_s - pad_s, (self.from_s + self.to_s) / 2)


def plan_cuts(gaps: Sequence[Gap], limits: ClipLimits) -> list[tuple[int, int]]:
    """Divide words into clips.

    Args:
        gaps: around n words, n + 1 of them: the one before the first word and those after each.
        limits: lengths of clips.

    Returns:
        (first, end) word indices of clips that hold all words in order. None is longer than ``max_s`` unless it is
        one written word; one may be shorter than ``min_s`` where nothing else is possible.
    """
    n_words = len(gaps) - 1
    cuts = [k for k in range(n_words + 1) if k in (0, n_words) or gaps[k].may_cut]
    best: list[tuple[float, int]] = [(0.0, 0)]  # for each cut: cost of the best plan up to it, place of the cut before
    for place in range(1, len(cuts)):
        choices = []
        for before in range(place - 1, -1, -1):
            length_s = gaps[cuts[place]].clip_end_s(limits.pad_s) - gaps[cuts[before]].clip_start_s(limits.pad_s)
            if length_s > limits.max_s and before < place - 1:
                break
            choices.append((best[before][0] + _clip_cost(length_s, limits), before))
        cost, before = min(choices)
        is_last = place == len(cuts) - 1
        best.append((cost + (0.0 if is_last else _cut_cost(gaps[cuts[place]])), before))
    clips: list[tuple[int, int]] = []
    place = len(cuts) - 1
    while place:
        before = best[place][1]
        clips.append((cuts[before], cuts[place]))
        place = before
    return clips[::-1]


def _clip_cost(length_s: float, limits: ClipLimits) -> float:
    cost = ((length_s - limits.target_s) / limits.target_s) ** 2
    return cost + (SHORT_CLIP_COST if length_s < limits.min_s else 0.0)


def _cut_cost(gap: Gap) -> float:
    if gap.pause_s < MIN_PAUSE_S:
        return NO_PAUSE_COST + CUT_COST[gap.ends]
    if gap.pause_s < CLEAR_PAUSE_S:
        return FAINT_PAUSE_COST + CUT_COST[gap.ends]
    # of two clauses, and of two places without a mark, the one with the longer pause
    return CUT_COST[gap.ends] * math.exp(-gap.pause_s)
