"""Rate limit and concurrency limit for every path of an HTTP application."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

MOST_ADDRESSES = 1024


class TokenBucket:
    """Token bucket that holds two seconds' worth of requests, by a monotonic clock."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._tokens = 2 * per_s
        self._updated_s = now_s

    def acquire(self, now_s: float) -> float:
        """Take a token; return 0, or the seconds to wait for one."""
        self._tokens = min(2 * self._per_s, self._tokens + (now_s - self._updated_s) * self._per_s)
        self._updated_s = now_s
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s


class RateLimit:
    """ASGI middleware: refuses too many requests (429).

    Args:
        app: application that answers accepted requests.
        max_concurrent: most requests in progress, and as many open streams.
        max_per_s: most requests a second of one client address.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_concurrent: int,
        max_per_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._max_concurrent = max_concurrent
        self._max_per_s = max_per_s
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        self._busy = {"POST": 0, "GET": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._too_many(scope)
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
        bucket = self._buckets.pop(address, None) or TokenBucket(self._max_per_s, now_s)
        self._buckets[address] = bucket
        while len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        wait_s = bucket.acquire(now_s)
        if wait_s:
            return _retry_after(wait_s, f"more than {self._max_per_s:g} requests a second")
        if self._busy[_kind(scope)] >= self._max_concurrent:
            return _retry_after(1, f"{self._max_concurrent} requests are in progress")
        return None


def _kind(scope: Scope) -> str:
    """Return the counter of a request: open streams (GET) are counted apart from calls."""
    return "GET" if scope["method"] == "GET" else "POST"


def _retry_after(wait_s: float, why: str) -> Response:
    seconds = max(1, math.ceil(wait_s))
    return PlainTextResponse(f"Too many requests: {why}. Retry in {seconds} s.\n", 429, {"Retry-After": str(seconds)})
