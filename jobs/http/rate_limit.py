"""Rate limit and concurrency limit for every path of an HTTP application."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

MOST_BUCKETS = 1024
# Requests a second of one address without a known token: each is refused, or costs a question to an OAuth issuer.
STRANGERS_PER_S = 10.0


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


class Buckets:
    """Token buckets by name; of too many, those used longest ago are forgotten."""

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def acquire(self, name: str, now_s: float) -> float:
        """Take a token from the bucket of a name; return 0, or the seconds to wait for one."""
        bucket = self._buckets.pop(name, None) or TokenBucket(self.per_s, now_s)
        self._buckets[name] = bucket
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket.acquire(now_s)


class RateLimit:
    """ASGI middleware: refuses too many requests (429).

    A known caller is limited by name, others by address and apart from it: programs that share the owner's address, as
    all on this machine do, use up nothing of the owner's.

    Args:
        app: application that answers accepted requests.
        max_concurrent: most requests of known callers in progress, as many open streams, and as many of others.
        max_per_s: most requests a second of one known caller.
        known_caller: name of the caller if the request shows that it is a known one, without asking others.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_concurrent: int,
        max_per_s: float,
        known_caller: Callable[[Scope], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._max_concurrent = max_concurrent
        self._known_caller = known_caller
        self._clock = clock
        self._known, self._strangers = Buckets(max_per_s), Buckets(min(STRANGERS_PER_S, max_per_s))
        self._busy = {"call": 0, "stream": 0, "stranger": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = self._known_caller(scope)
        # open streams are counted apart from calls, which they would keep out
        kind = "stranger" if caller is None else "stream" if scope["method"] == "GET" else "call"
        refusal = self._too_many(scope, caller, kind)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self._busy[kind] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._busy[kind] -= 1

    def _too_many(self, scope: Scope, caller: str | None, kind: str) -> Response | None:
        buckets, name = (self._strangers, _address(scope)) if caller is None else (self._known, caller)
        wait_s = buckets.acquire(name, self._clock())
        if wait_s:
            return _retry_after(wait_s, f"more than {buckets.per_s:g} requests a second")
        if self._busy[kind] >= self._max_concurrent:
            return _retry_after(1, f"{self._max_concurrent} requests are in progress")
        return None


def _address(scope: Scope) -> str:
    address: str = (scope.get("client") or ("",))[0]
    return address


def _retry_after(wait_s: float, why: str) -> Response:
    seconds = max(1, math.ceil(wait_s))
    return PlainTextResponse(f"Too many requests: {why}. Retry in {seconds} s.\n", 429, {"Retry-After": str(seconds)})
