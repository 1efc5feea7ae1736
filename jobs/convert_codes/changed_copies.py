"""Changed copies of clips for training (augmentation): another loudness, or slightly another speed.

What a copy is changed by follows from its clip's audio, so that every attempt makes the same.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.audio.resampling import resample
from jobs.convert_codes.clip_loader import CodecClip

ChangeName = Literal["loudness", "speed"]
LOUDNESS_DB = (1.0, 3.0)  # louder or softer by so much
SPEED = (0.01, 0.03)  # faster or slower by so much; pitch and formants move along, by half a semitone at most
HIGHEST_PEAK = 0.99


@dataclass(frozen=True)
class Change:
    """One change of a clip; ``amount`` is in dB, or the speed as a share of the clip's own."""

    name: ChangeName
    amount: float

    def __str__(self) -> str:
        return f"loudness {self.amount:+.1f} dB" if self.name == "loudness" else f"speed {self.amount:.3f}"

    def apply(self, samples: Samples) -> Samples:
        """Change samples; what would be clipped gets less louder."""
        if self.name == "speed":
            return resample(samples, round(CLIP_RATE_HZ * self.amount), CLIP_RATE_HZ)
        peak = float(np.abs(samples).max(initial=0.0))
        gain = 10 ** (self.amount / 20)
        if peak * gain > HIGHEST_PEAK:
            gain = max(1.0, HIGHEST_PEAK / peak)
        changed: Samples = (samples * np.float32(gain)).astype(np.float32, copy=False)
        return changed


@dataclass(frozen=True)
class ChangedClip(CodecClip):
    """A changed copy of a clip; its ``key`` is its own."""

    change: Change | None = None


def copies_of(clip: CodecClip, wanted: Sequence[ChangeName]) -> list[ChangedClip]:
    """Return the changed copies of a clip that is trained on; none of one that is held out."""
    if not clip.is_training:
        return []
    changes = [draw_change(name, clip.key) for name in dict.fromkeys(wanted)]
    fields = {name: getattr(clip, name) for name in CodecClip.__dataclass_fields__}
    plain = ChangedClip(**fields)
    return [replace(plain, key=copy_key(clip.key, str(change)), change=change) for change in changes]


def draw_change(name: ChangeName, key: str) -> Change:
    """Choose the amount of a change by the hash of the audio, above and below in equal shares."""
    number = int.from_bytes(hashlib.sha256(f"{name}/{key}".encode()).digest()[:4], "big")
    least, most = LOUDNESS_DB if name == "loudness" else SPEED
    amount = least + (most - least) * (number >> 1) / 2**31
    signed = amount if number % 2 else -amount
    return Change(name, round(signed, 1) if name == "loudness" else round(1 + signed, 3))


def copy_key(key: str, change: str) -> str:
    """Return the journal's key of a copy."""
    return hashlib.sha256(f"{key}/{change}".encode()).hexdigest()
