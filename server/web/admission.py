"""Admission to the pages: a key in the first address becomes a strict cookie, and only pages of ours may write.

The cookie's path is random too, so that a browser sends it to no other program that listens on this address.
"""

import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from jobs.http.host_check import NO_KEY

COOKIE = "tts-train"
READS = ("GET", "HEAD")
NOT_OURS = "Refused: this did not come from a page of this application.\n"
# A redirect would go on for the site whose link was followed, to which a strict cookie is not sent.
_FIRST_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={path}">'
    '<link rel="icon" href="data:,"><title>tts-train</title><p><a href="{path}">Open the application</a></p></html>'
)


@dataclass(frozen=True)
class Keys:
    """Secrets of one run of the server.

    Attributes:
        first: in the first address.
        session: value of the cookie.
        prefix: first part of the path of every page.
    """

    first: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    prefix: str = field(default_factory=lambda: secrets.token_urlsafe(9))

    @property
    def root(self) -> str:
        """Path below which all pages are."""
        return f"/{self.prefix}"


class Admission:
    """ASGI middleware: the first address sets the cookie, all else needs it; to be placed behind the ``HostCheck``.

    Args:
        app: application that answers admitted requests, with ``root_path`` set.
        keys: of this run.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app({**scope, "root_path": self._keys.root}, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        path = scope["path"]
        if _is_same(path.strip("/"), self._keys.first) and scope["method"] in READS:
            return self._first_page(is_secure=Headers(scope=scope).get("x-forwarded-proto") == "https")
        is_inside = _is_same(path[1:].partition("/")[0], self._keys.prefix)
        headers = Headers(scope=scope)
        if not is_inside or not _is_same(_cookie(headers), self._keys.session):
            return PlainTextResponse(NO_KEY, 403)
        # A browser names the origin of every write by a script; a foreign one is refused by the check of hosts.
        is_ours = "origin" in headers and headers.get("sec-fetch-site", "same-origin") == "same-origin"
        return None if scope["method"] in READS or is_ours else PlainTextResponse(NOT_OURS, 403)

    def _first_page(self, *, is_secure: bool) -> Response:
        """Set the cookie; behind a proxy with TLS it is never sent without."""
        response = HTMLResponse(_FIRST_PAGE.format(path=f"{self._keys.root}/"))
        response.set_cookie(
            COOKIE, self._keys.session, path=f"{self._keys.root}/", secure=is_secure, httponly=True, samesite="strict"
        )
        response.headers["Content-Security-Policy"] = "default-src 'none'; img-src data:; frame-ancestors 'none'"
        return response


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _is_same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode(errors="surrogatepass"), secret.encode())
