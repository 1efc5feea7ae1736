"""Way of a take's sound from the threads of the host to the request that waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive

from jobs.qwen.speech.sound import Samples
from jobs.serve_voice.sound.encoder import SoundEncoder
from jobs.serve_voice.sound.time_stretch import TimeStretch


@dataclass(frozen=True)
class Part:
    """A part of an answer.

    Attributes:
        content: encoded sound.
        n_samples: in it.
        samples: the same, not encoded, where no encoder was given.
        is_end: the take is complete.
        error: why there is no more.
    """

    content: bytes = b""
    n_samples: int = 0
    samples: Samples | None = None
    is_end: bool = False
    hit_limit: bool = False
    compute_s: float = 0.0
    error: Exception | None = None
    number: int = 0


class SoundQueue:
    """Parts of one request's takes, in order; encoded in the thread that gives them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parts: asyncio.Queue[Part] = asyncio.Queue()

    def put(self, part: Part) -> None:
        """Add a part, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._parts.put_nowait, part)
        except RuntimeError:  # the server has ended meanwhile
            return

    async def get(self) -> Part:
        """Wait for the next part."""
        return await self._parts.get()


class QueueSink:
    """A take's place in the queue of its request."""

    def __init__(
        self, queue: SoundQueue, encoder: SoundEncoder | None, number: int = 0, stretch: TimeStretch | None = None
    ) -> None:
        self._queue, self._encoder, self._number, self._stretch = queue, encoder, number, stretch

    def sound(self, samples: Samples) -> None:
        """Take the next samples."""
        if self._stretch is not None:
            samples = self._stretch.stretch(samples)
        self._sound(samples)

    def ended(self, *, hit_limit: bool, compute_s: float) -> None:
        """Take the end of the take."""
        if self._stretch is not None:
            self._sound(self._stretch.end())
        content = b"" if self._encoder is None else self._encoder.end()
        self._put(content=content, is_end=True, hit_limit=hit_limit, compute_s=compute_s)

    def _sound(self, samples: Samples) -> None:
        if self._encoder is None:
            self._put(n_samples=len(samples), samples=samples)
        elif len(samples):
            self._put(content=self._encoder.encode(samples), n_samples=len(samples))

    def failed(self, error: Exception) -> None:
        """Take the reason why it is not spoken to its end."""
        self._put(error=error)

    def _put(self, **part: Any) -> None:
        self._queue.put(Part(number=self._number, **part))


async def wait_for_leaving(receive: Receive) -> None:
    """Return when the client has gone; the request's body was read before."""
    while (await receive())["type"] != "http.disconnect":
        pass


def open_headers(response: Response) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer whose length is not known yet."""
    return [header for header in response.raw_headers if header[0] != b"content-length"]
