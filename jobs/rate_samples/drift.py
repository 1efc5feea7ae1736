"""What no single take shows: a whole batch that speaks faster, higher or less like the narrator than he does. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from jobs.rate_samples.params import Drift, Rating
from jobs.rating.scoring import BATCH_PITCH_ST, BATCH_RATE, BATCH_SIM, MIN_BATCH
from jobs.speaker.narrator_profile import Profile


def drift_of(ratings: Sequence[Rating], profiles: Mapping[str, Profile]) -> Drift:
    """Average the takes' distance from their narrator, and say what lies outside its limits.

    Each average needs ``MIN_BATCH`` takes that could be measured; with fewer it is null.
    """
    rates, pitches, sims = [], [], []
    for rating in ratings:
        profile, measures = profiles[rating.narrator], rating.measures
        rate, pitch_hz, sim = measures.get("speaking_rate"), measures.get("pitch_hz"), measures.get("sim")
        if rate and profile.speaking_rate:
            rates.append(rate / profile.speaking_rate)
        if pitch_hz and profile.pitch_hz:
            pitches.append(12 * math.log2(pitch_hz / profile.pitch_hz))
        if sim and rating.voice is not None:
            sims.append(sim - profile.at(measures.get("duration_s") or 0.0).sim)
    rate, pitch_st, sim = _mean(rates), _mean(pitches), _mean(sims)
    flags = []
    if rate is not None and not BATCH_RATE[0] <= rate <= BATCH_RATE[1]:
        flags.append(
            f"over {len(rates)} takes the voice speaks {rate:.2f} times as fast as the narrator "
            f"(limits {BATCH_RATE[0]} to {BATCH_RATE[1]}), though single takes may pass"
        )
    if pitch_st is not None and abs(pitch_st) > BATCH_PITCH_ST:
        flags.append(
            f"over {len(pitches)} takes the pitch lies {pitch_st:+.1f} semitones from the narrator's "
            f"(limit {BATCH_PITCH_ST})"
        )
    if sim is not None and sim < -BATCH_SIM:
        flags.append(
            f"over {len(sims)} takes SIM lies {-sim:.2f} under the narrator's own (limit {BATCH_SIM}): "
            "near the voice, not quite it"
        )
    return Drift(n_takes=len(ratings), speaking_rate=rate, pitch_st=pitch_st, sim=sim, flags=flags)


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 3) if len(values) >= MIN_BATCH else None
