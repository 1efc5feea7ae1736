"""A take that somebody waits for, and why none is accepted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from jobs.errors import UserError
from jobs.qwen.speech.decoding_settings import SAMPLING, Decoding
from jobs.qwen.speech.sound import Samples


class Sink(Protocol):
    """Receiver of a take's sound; called in the threads of the host, one call at a time."""

    def sound(self, samples: Samples) -> None:
        """Take the next samples."""

    def ended(self, *, hit_limit: bool, compute_s: float) -> None:
        """Take the end of the take."""

    def failed(self, error: Exception) -> None:
        """Take the reason why it is not spoken to its end."""


@dataclass(eq=False)
class Utterance:
    """A take to speak.

    Attributes:
        is_streamed: its sound comes while it is spoken; else at once, from all of its codes.
        is_cancelled: no client waits any more.
        n_text_tokens: counted when it begins.
    """

    text: str
    decoding: Decoding
    speaker: str | None
    language: str
    instruct: str | None
    sink: Sink
    is_streamed: bool = True
    is_cancelled: bool = False
    n_text_tokens: int = 0
    arrived_s: float = field(default_factory=time.perf_counter)

    @property
    def sampling(self) -> tuple[object, ...]:
        """Settings that takes of one loop share."""
        return sampling_of(self.decoding)


def sampling_of(decoding: Decoding) -> tuple[object, ...]:
    """Return the settings that takes of one loop share."""
    return tuple(getattr(decoding, name) for name in SAMPLING)


class RefusedError(Exception):
    """A take is not accepted now.

    Args:
        error: why.
        retry_after_s: when to ask again.
    """

    def __init__(self, error: UserError, retry_after_s: int) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry_after_s = retry_after_s


def queue_full(n_waiting: int, retry_after_s: int) -> RefusedError:
    """Return the refusal of a full queue."""
    return RefusedError(
        UserError(
            "queue_full", f"{n_waiting} takes wait already.", f"Ask again in {retry_after_s} s, or raise max_queue."
        ),
        retry_after_s,
    )


def device_wanted(retry_after_s: int) -> RefusedError:
    """Return the refusal while another job has the device."""
    return RefusedError(
        UserError(
            "device_wanted",
            "Another job of this home has the GPU, or the memory, so no model is loaded now.",
            "Ask again when it has ended (list_jobs), or start serve_voice with beside_jobs.",
        ),
        retry_after_s,
    )


def host_ends() -> RefusedError:
    """Return the refusal of a host that ends."""
    return RefusedError(UserError("host_ending", "The host ends.", "Start serve_voice again."), 5)
