"""What every HTTP request meets first: who it says it is for, and how many there are. For all paths, also of errors."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

MOST_ADDRESSES = 1024


class Bucket:
    """Lets requests through at a rate, and twice as many at once.

    Args:
        per_s: requests a second in the long run.
    """

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._left = 2 * per_s
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Take one: 0, or how long to wait before trying again."""
        self._left = min(2 * self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._per_s


class Bounds:
    """ASGI: refuses foreign ``Host`` and ``Origin`` (421, 403), too many a second and too many at once (429).

    Args:
        app: what answers the rest.
        security: hosts and origins to accept.
        max_concurrent: requests that are answered at the same time, and as many open streams.
        max_per_s: requests of one address a second.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        app: ASGIApp,
        security: TransportSecuritySettings,
        *,
        max_concurrent: int,
        max_per_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(security)
        self._max_concurrent = max_concurrent
        self._max_per_s = max_per_s
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._busy = {"POST": 0, "GET": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = await self._security.validate_request(Request(scope)) or self._too_many(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        kind = _kind(scope)
        self._busy[kind] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._busy[kind] -= 1

    def _too_many(self, scope: Scope) -> Response | None:
        now_s = self._clock()
        address = (scope.get("client") or ("",))[0]
        bucket = self._buckets.pop(address, None) or Bucket(self._max_per_s, now_s)
        self._buckets[address] = bucket
        while len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        wait_s = bucket.wait_s(now_s)
        if wait_s:
            return _later(wait_s, f"more than {self._max_per_s:g} requests a second")
        if self._busy[_kind(scope)] >= self._max_concurrent:
            return _later(1, f"{self._max_concurrent} requests are being answered")
        return None


def _kind(scope: Scope) -> str:
    """Streams that stay open are counted apart, so that they take no place of calls."""
    return "GET" if scope["method"] == "GET" else "POST"


def _later(wait_s: float, why: str) -> Response:
    seconds = max(1, math.ceil(wait_s))
    return PlainTextResponse(f"Too many: {why}. Try again in {seconds} s.\n", 429, {"Retry-After": str(seconds)})
