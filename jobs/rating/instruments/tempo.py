"""Speaking rate and pauses against the narrator's own spread: too fast, too slow, and where pauses lie.

Rates are compared as natural logarithms, so that half and double the rate are equally far. Pauses are the gaps between
the words of a forced alignment: energy alone finds none in a noisy recording, and does not know where a phrase ends.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence

from jobs.asr.pocketsphinx_asr import AlignedWord
from jobs.rating.instruments.instrument import Check, Instrument, Values, falls, fit_reference, rises
from jobs.speaker.narrator_profile import Reference
from jobs.text.english_normalization import spoken_map

TOO_FAST = Check("too_fast", None, rises, 0.21, 0.40, "", part="timing")
"""Least limit 1.25 times the narrator's rate and most 1.5 times, for twenty clips; judged by ``scoring``."""
TOO_SLOW = Check("too_slow", None, falls, 0.28, 0.45, "", part="timing")
"""Least limit 0.75 times the narrator's rate and most 0.62 times; judged by ``scoring``."""

# Times the narrator's rate, if the narrator's own spread is unknown; sentences vary from 0.8 to 1.2.
SLOW_LIMIT, FAST_LIMIT = 0.74, 1.25
SLOW_LIMIT_SHORT, FAST_LIMIT_SHORT = 0.62, 1.40  # phrases of 2 to 3 s of one narration vary from 0.67 to 1.3

PAUSE_AT_MARKS = "long_mark_pause"
_PAUSE_S = 0.1  # shorter gaps are the closures of consonants
_MIN_BOUNDARIES = 5  # between words without a mark, for the share that is paused at
_MARK = re.compile(r"[,.;:!?…—–()“”\"«»]|\s-\s|--|\s['‘]")

TEMPO = Instrument(
    name="speaking rate and pauses",
    version="1",
    licence="own code over pocketsphinx 5.1.1 (BSD-2-Clause)",
    cost=0.001,
    hears="wrong speed; a long or frequent pause inside a phrase, a long one at a mark; pauses in English only",
    does_not_hear="a pause that is missing in one take, a short pause in the wrong place, rhythm within words",
    checks=(
        Check("pause_in_phrase", None, rises, 0.5, 0.9,
              "pauses inside a phrase, {value:.1f} s longer than the narrator's usual (limit {limit:.1f} s)",
              cap=4.0, part="timing"),
        Check("choppy", None, rises, 0.2, 0.4,
              "choppy: pauses after {value:.0%} more of the words inside phrases than the narrator (limit {limit:.0%})",
              cap=3.0, part="timing"),
        Check(PAUSE_AT_MARKS, None, rises, 0.5, 1.2,
              "a pause at a punctuation mark, {value:.1f} s longer than the narrator's usual (limit {limit:.1f} s)",
              cap=3.5, part="timing"),
    ),
)  # fmt: skip


def measure_pauses(text: str, words: Sequence[AlignedWord]) -> dict[str, Values]:
    """Measure the pauses between the aligned words of an English text, by the codes of the checks.

    Inside phrases the longest and the share of boundaries with one; at punctuation marks the mean.
    """
    spoken = spoken_map(text)
    inside: list[float] = []
    at_marks: list[float] = []
    for (word, following), (written, after) in zip(itertools.pairwise(words), itertools.pairwise(spoken), strict=True):
        gap_s = following.start_s - word.end_s
        (at_marks if _MARK.search(text[written.end : after.start]) else inside).append(gap_s)
    n_paused = sum(gap_s > _PAUSE_S for gap_s in inside)
    return {
        "pause_in_phrase": [round(max(inside), 3)] if inside else [],
        "choppy": [round(n_paused / len(inside), 4)] if len(inside) >= _MIN_BOUNDARIES else [],
        PAUSE_AT_MARKS: [round(sum(at_marks) / len(at_marks), 3)] if at_marks else [],
    }


def fit_rates(rates: Sequence[float | None], min_clips: int) -> dict[str, Reference]:
    """Fit the limits of the speaking rate on the rates of the narrator's clips; empty if too few are known."""
    logs: list[Values] = [[math.log(rate)] if rate else [] for rate in rates]
    fitted = {check.code: fit_reference(check, logs, min_clips) for check in (TOO_FAST, TOO_SLOW)}
    return {code: reference for code, reference in fitted.items() if reference is not None}


def rate_limits(references: Mapping[str, Reference], *, is_short: bool) -> tuple[float, float]:
    """Return the slowest and the fastest rate, times the narrator's, by the narrator's own spread if it is known."""
    slow, fast = references.get(TOO_SLOW.code), references.get(TOO_FAST.code)
    slowest = math.exp(-slow.limit) if slow else SLOW_LIMIT
    fastest = math.exp(fast.limit) if fast else FAST_LIMIT
    if is_short:
        return min(slowest, SLOW_LIMIT_SHORT), max(fastest, FAST_LIMIT_SHORT)
    return slowest, fastest
