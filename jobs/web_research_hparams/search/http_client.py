"""HTTP client for allowed hosts: one scheme, no redirect to another host, bounded size and time.

Responses are untrusted. They are parsed as data; nothing in them is followed or run.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

HOSTS = frozenset({"export.arxiv.org", "api.github.com", "huggingface.co"})
SEARCH_HOSTS = {"brave": "https://api.search.brave.com", "tavily": "https://api.tavily.com"}
MAX_BYTES = 512 * 1024
MAX_REDIRECTS = 2
REQUEST_TIMEOUT_S = 12.0
_TEXT_TYPES = ("json", "xml", "text/plain", "text/markdown")


class FetchError(Exception):
    """Failed request. The message is our own: it never quotes the response."""


@dataclass(frozen=True)
class Request:
    """One request; without ``body`` a GET.

    ``params`` are part of the cache key, so no secrets. ``headers`` may hold secrets; sent to the host of ``url`` only.
    """

    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] | None = None

    @property
    def identity(self) -> str:
        """Cache key: the request without its headers."""
        return json.dumps([self.url, sorted(self.params.items()), self.body], sort_keys=True)


class WebClient:
    """Client for the allowed part of the web."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        search_url: str = "",
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        ``transport`` replaces the network in tests. ``search_url`` is the configured search service; allowed as
        configured. ``timeout_s`` is of one request, from the first byte sent to the last received.
        """
        headers = {"User-Agent": "tts-train/0.1 (hyper-parameter research)", "Accept-Encoding": "identity"}
        self._timeout_s = timeout_s
        self._search = httpx.URL(search_url) if search_url else None
        self._client = httpx.AsyncClient(
            transport=transport, headers=headers, timeout=timeout_s, follow_redirects=False, auth=None, trust_env=True
        )

    async def __aenter__(self) -> WebClient:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._client.__aexit__(*error)

    async def text(self, request: Request) -> str:
        """Return the text of the response.

        Raises ``FetchError``: no network, time-out, refused address or redirect, error status, not text, or too large.
        """
        try:
            with anyio.fail_after(self._timeout_s):
                return await self._followed(request)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise FetchError(f"no answer within {self._timeout_s:g} s") from error
        except httpx.ConnectError as error:  # a message of the system; other errors may quote the server
            raise FetchError(f"not reached ({str(error)[:100]})") from error
        except (httpx.HTTPError, httpx.InvalidURL, zlib.error) as error:
            raise FetchError(f"not reached ({type(error).__name__})") from error

    async def _followed(self, request: Request) -> str:
        target = httpx.URL(request.url, params=dict(request.params)) if request.params else httpx.URL(request.url)
        for _ in range(MAX_REDIRECTS + 1):
            self._check(target)
            method = "GET" if request.body is None else "POST"
            async with self._client.stream(method, target, headers=dict(request.headers), json=request.body) as answer:
                if not answer.is_redirect:
                    return await _text(answer)
                following = target.join(answer.headers.get("location", ""))
            if _place(following) != _place(target):
                raise FetchError("refused a redirect to another host")
            target = following
        raise FetchError(f"more than {MAX_REDIRECTS} redirects")

    def _check(self, target: httpx.URL) -> None:
        configured = self._search
        if configured is not None and _place(target) == _place(configured) and configured.scheme in ("http", "https"):
            return
        if target.scheme != "https" or target.host not in HOSTS or target.port not in (None, 443) or target.userinfo:
            raise FetchError(f"refused to fetch from {target.host[:80]!r} by {target.scheme!r}")


def _place(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _text(answer: httpx.Response) -> str:
    status = answer.status_code
    if status in (403, 429) or (status == 401 and "www-authenticate" not in answer.headers):
        wait = answer.headers.get("retry-after", "")
        later = f", come back in {wait} s" if wait.isdigit() and len(wait) < 7 else ""
        raise FetchError(f"refused for now (HTTP {status}: too many requests, or an account is needed{later})")
    if status != 200:
        raise FetchError(f"HTTP {status}")
    kind = answer.headers.get("content-type", "text/plain").lower()
    if not any(known in kind for known in _TEXT_TYPES):
        raise FetchError("an answer that is a web page, not data" if "html" in kind else "an answer of another type")
    return (await _bytes(answer)).decode("utf-8", errors="replace")


async def _bytes(answer: httpx.Response) -> bytes:
    """Read the body, decompressed up to the limit: a small compressed response may have any size."""
    encoding = answer.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", ""):
        raise FetchError("an answer in an encoding that was not requested")
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding == "gzip" else None
    body = bytearray()
    async for chunk in answer.aiter_raw(16_384):
        body += chunk if unpack is None else unpack.decompress(chunk, MAX_BYTES + 1 - len(body))
        if len(body) > MAX_BYTES:
            raise FetchError(f"an answer of more than {MAX_BYTES // 1024} kB was cut off and not used")
    return bytes(body)
