"""One bounded GET to one of three public services: no credentials, no other host, no more than 256 kB.

What comes back was written by strangers. It is parsed as data; nothing in it is followed or run.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx

HOSTS = frozenset({"export.arxiv.org", "api.github.com", "huggingface.co"})
MAX_BYTES = 256 * 1024
MAX_REDIRECTS = 2
REQUEST_TIMEOUT_S = 12.0


class FetchError(Exception):
    """Why there is no answer, in a few words for people."""


def make_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for ``get_text``; ``transport`` replaces the network in tests."""
    headers = {"User-Agent": "tts-train/0.1 (hyper-parameter research)", "Accept-Encoding": "identity"}
    return httpx.AsyncClient(
        transport=transport, headers=headers, timeout=REQUEST_TIMEOUT_S, follow_redirects=False, auth=None
    )


async def get_text(client: httpx.AsyncClient, url: str, params: Mapping[str, str | int]) -> str:
    """Fetch a text.

    Args:
        client: from ``make_client``.
        url: https address on one of ``HOSTS``.
        params: query.

    Raises:
        FetchError: no network, time-out, refused redirect, error status, or an answer over ``MAX_BYTES``.
    """
    target = httpx.URL(url, params=dict(params))
    for _ in range(MAX_REDIRECTS + 1):
        _check(target)
        try:
            async with client.stream("GET", target) as answer:
                if not answer.is_redirect:
                    return await _body(answer)
                following = target.join(answer.headers.get("location", ""))
        except httpx.TimeoutException as error:
            raise FetchError(f"no answer within {REQUEST_TIMEOUT_S:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"not reached ({type(error).__name__}: {str(error)[:120]})") from error
        if following.host != target.host:
            raise FetchError(f"refused a redirect to another host ({following.host[:80]})")
        target = following
    raise FetchError(f"more than {MAX_REDIRECTS} redirects")


def _check(target: httpx.URL) -> None:
    if target.scheme != "https" or target.host not in HOSTS or target.port not in (None, 443):
        raise FetchError(f"refused to fetch from {target.host[:80]!r} by {target.scheme!r}")


async def _body(answer: httpx.Response) -> str:
    if answer.status_code in (403, 429):
        raise FetchError(f"refused for now (HTTP {answer.status_code}: too many requests without an account)")
    if answer.status_code != 200:
        raise FetchError(f"HTTP {answer.status_code}")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise FetchError("a compressed answer, which could be any size")
    body = bytearray()
    async for chunk in answer.aiter_bytes(16_384):
        body += chunk
        if len(body) > MAX_BYTES:
            raise FetchError(f"an answer of more than {MAX_BYTES // 1024} kB was cut off and not used")
    return body.decode("utf-8", errors="replace")
