"""Takes in the decode loop: what is asked for, what is running, what has ended."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from jobs.qwen.speech.prompts import Prompt


@dataclass(eq=False)
class Slot:
    """A take that is being decoded.

    Attributes:
        frames: codes of the finished frames, 16 each.
        compute_s: time of its prompt, and its share of the time of every frame.
    """

    key: int
    n_prompt: int
    max_frames: int
    generator: torch.Generator
    frames: list[list[int]] = field(default_factory=list)
    compute_s: float = 0.0


@dataclass(frozen=True)
class DecodedTake:
    """Codes of a take.

    Attributes:
        codes: (frames, 16) on the CPU. A take that did not end has a frame more than its limit.
        compute_s: its share of the loop's time.
    """

    key: int
    codes: Tensor
    compute_s: float


@dataclass(frozen=True)
class TakeRequest:
    """A take to decode: its prompt, the seed of its random numbers, and the most frames."""

    key: int
    prompt: Prompt
    seed: int
    max_frames: int
