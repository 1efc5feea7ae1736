"""Choice of the clips for slow measurements: DNSMOS, and recognition of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.dataset.manifest import Clip
from jobs.dataset.quality.clip_metrics import RECOGNISED, Measured
from jobs.dataset.quality.quality_filter import SHORT_S, SHORT_WORDS
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.split import sample_evenly

SAMPLED_SHARE, FEWEST_SAMPLED, MOST_SAMPLED = 0.05, 8, 400
MOST_TEXTS = 500  # three CPU minutes
_LONG_ENOUGH_S = 4.0  # shorter clips score lower


@dataclass(frozen=True)
class TextSample:
    """Clips whose text is compared with their audio.

    Attributes:
        places: indices of these clips.
        note: number of clips left out, with reasons; None when there is nothing to report.
    """

    places: list[int]
    note: str | None = None


def choose_for_dnsmos(
    measured: Sequence[Measured], good: Sequence[int], doubtful: Sequence[int], limits: Thresholds
) -> list[int]:
    """Choose the indices of the clips for DNSMOS: all good ones, or an even sample and those in doubt."""
    if limits.dnsmos == "off":
        return []
    if limits.dnsmos == "all":
        return list(good)
    calm = sorted(set(good) - set(doubtful))
    long = [k for k in calm if measured[k].speech_span_s >= _LONG_ENOUGH_S]
    pool = long if len(long) >= FEWEST_SAMPLED else calm
    n = max(FEWEST_SAMPLED, min(MOST_SAMPLED, round(SAMPLED_SHARE * len(measured))))
    return sorted({*doubtful, *sample_evenly(pool, n)})


def choose_for_text(
    clips: Sequence[Clip], measured: Sequence[Measured], good: Sequence[int], limits: Thresholds
) -> TextSample:
    """Choose clips whose text is compared with the audio: curated clips, not yet recognised, or all with a text.

    English only, and of a length at which recognition is sure.
    """
    if limits.text_match == "off":
        return TextSample([])
    asked = [k for k in good if clips[k].text and (limits.text_match == "all" or clips[k].transcript == "curated")]
    english = [k for k in asked if clips[k].language == RECOGNISED]
    fit = [k for k in english if measured[k].n_words >= SHORT_WORDS and measured[k].speech_span_s >= SHORT_S]
    heard = fit if limits.text_match == "all" else sample_evenly(fit, MOST_TEXTS)
    left_out = {
        "not English": len(asked) - len(english),
        f"shorter than {SHORT_S:.0f} s or {SHORT_WORDS} words": len(english) - len(fit),
        "outside the sample (text_match=all hears them)": len(fit) - len(heard),
    }
    reasons = ", ".join(f"{n} {why}" for why, n in left_out.items() if n)
    n_left_out = len(asked) - len(heard)
    return TextSample(heard, f"The texts of {n_left_out} clips were not checked: {reasons}." if reasons else None)
