"""HTTP connections of bounded number and patience.

uvicorn waits for the rest of a request without end, and counts no connection that has not sent a whole one.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# From the first byte of a request to its last, and for the first of a new connection; also for a client that reads
# nothing of an answer that is waiting.
TIMEOUT_S = 30.0
MOST_CONNECTIONS = 256
# The rest is for jobs' files, the store and the logs.
SHARE_OF_DESCRIPTORS = 4


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of one listener.

    Attributes:
        most: open connections; a new one takes the place of the oldest that waits for its client.
        timeout_s: longest time in which a request arrives, and in which a client reads nothing.
    """

    most: int
    timeout_s: float = TIMEOUT_S


def connection_limits(max_concurrent: int) -> ConnectionLimits:
    """Return limits for a number of requests in progress, and as many streams, within this process's descriptors."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(MOST_CONNECTIONS, 4 * max_concurrent)
    if descriptors == resource.RLIM_INFINITY:
        return ConnectionLimits(wanted)
    return ConnectionLimits(max(1, min(wanted, descriptors // SHARE_OF_DESCRIPTORS)))


class _Timer:
    """Timer that runs once at a time."""

    def __init__(self, schedule: Callable[[], asyncio.TimerHandle]) -> None:
        self._schedule = schedule
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        return self._handle is not None

    def start(self) -> None:
        self._handle = self._handle or self._schedule()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class BoundedConnection(H11Protocol):
    """HTTP/1.1 connection that is closed when its client lets it wait, or when others need its place."""

    def __init__(self, *args: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limits = limits
        self._opened_s = self.loop.time()
        self._receiving, self._unread = _Timer(self._later), _Timer(self._later)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time for the first request; close a connection if there are too many."""
        super().connection_made(transport)
        self._receiving.start()
        if len(self.connections) > self._limits.most:
            waiting = [one for one in self.connections if isinstance(one, BoundedConnection) and one._waits()]
            min(waiting, key=lambda one: one._opened_s, default=self)._close()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; stop the time when it is whole."""
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY or (state is h11.IDLE and self.conn.trailing_data[0]):
            self._receiving.start()
        elif state is not h11.IDLE:
            self._receiving.stop()

    def pause_writing(self) -> None:
        """Start the time for the client to read; so much of the answer is waiting."""
        super().pause_writing()
        self._unread.start()

    def resume_writing(self) -> None:
        """Stop that time."""
        super().resume_writing()
        self._unread.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all times."""
        self._receiving.stop()
        self._unread.stop()
        super().connection_lost(exc)

    def _waits(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or self._unread.is_running

    def _later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self._limits.timeout_s, self._close)

    def _close(self) -> None:
        self.connections.discard(self)  # at once: it would be counted until the loop comes to its end
        self.transport.abort()


def bounded_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Return the protocol for a uvicorn configuration."""
    protocol: Any = partial(BoundedConnection, limits=limits)
    return protocol  # type: ignore[no-any-return]
