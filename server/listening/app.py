"""HTTP application of the listening page.

It listens on the loopback address only, every path starts with a random key, and requests of other pages are refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from anyio import to_thread
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from jobs.errors import UserError
from jobs.http.host_check import HostCheck
from jobs.http.request_body import read_body
from jobs.param_types import first_fault
from server.http.page_server import ADDRESS, PageServer, WithHeaders, limited_page
from server.listening.rating_session import PlayableTake, RatingSession, ScoreSubmission, VoteSubmission

MAX_BODY_BYTES = 16_384
PAGE = Path(__file__).with_name("page.html")
# A file's age would reveal the newer voice of a blind pair.
REVEALING_HEADERS = ("ETag", "Last-Modified")
ItemT = TypeVar("ItemT")
SubmissionT = TypeVar("SubmissionT", ScoreSubmission, VoteSubmission)


class ListeningServer(PageServer):
    """HTTP server of one rating session.

    Args:
        session: takes to play, and where ratings are stored.
        port: 0 takes a free one.

    Raises:
        UserError: ``port_taken``.
    """

    def __init__(self, session: RatingSession, port: int = 0) -> None:
        self.session = session
        self.key = secrets.token_urlsafe(24)
        super().__init__(lambda port: listening_app(session, self.key, port), port)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.port}/{self.key}/"


def listening_app(session: RatingSession, key: str, port: int) -> ASGIApp:
    """Build the application: every path starts with the key; ``Host`` and ``Origin`` must name the port."""
    hosts = [f"{name}:{port}" for name in (ADDRESS, "localhost")]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])
    checked = HostCheck(_BehindKey(limited_page(listening_pages(session)), key), security)
    return WithHeaders(checked, {"Cache-Control": "no-store"}, removed=REVEALING_HEADERS)


def listening_pages(session: RatingSession) -> Starlette:
    """Build the pages of a session, without any check of who asks."""
    app = Starlette(routes=_routes(session), exception_handlers={HTTPException: _refuse})
    app.router.redirect_slashes = False
    return app


def _routes(session: RatingSession) -> list[Route]:
    async def contents(request: Request) -> Response:
        return JSONResponse(session.contents())

    async def take(request: Request) -> Response:
        return await _audio(_item(session.takes, request))

    async def narrator(request: Request) -> Response:
        return await _file(session.narrator)

    async def pair(request: Request) -> Response:
        place = request.path_params["place"]
        if place not in ("first", "second"):
            raise HTTPException(404)
        return await _audio(_item(session.pairs, request).offered(place))

    async def score(request: Request) -> Response:
        return await _store(request, ScoreSubmission, session.save_score)

    async def vote(request: Request) -> Response:
        return await _store(request, VoteSubmission, session.save_vote)

    return [
        Route("/", _page),
        Route("/contents", contents),
        Route("/narrator", narrator),
        Route("/take/{number:int}", take),
        Route("/pair/{number:int}/{place}", pair),
        Route("/score", score, methods=["POST"]),
        Route("/vote", vote, methods=["POST"]),
    ]


async def _page(request: Request) -> Response:
    nonce = secrets.token_urlsafe(12)
    policy = (
        f"default-src 'none'; img-src data:; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    page = PAGE.read_text(encoding="utf-8").replace("{{nonce}}", nonce)
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


async def _audio(take: PlayableTake) -> Response:
    return await _file(take.path)


async def _file(path: Path | None) -> Response:
    if path is None or not await to_thread.run_sync(path.is_file):
        raise HTTPException(404, "The audio file is missing")
    return FileResponse(path, media_type="audio/wav")


async def _store(request: Request, model: type[SubmissionT], save: Callable[[SubmissionT], None]) -> Response:
    """Check a submission and store it before the answer is sent."""
    body = await _json_body(request)
    try:
        await to_thread.run_sync(save, model.model_validate_json(body))
    except ValidationError as error:
        raise HTTPException(400, first_fault(error)) from error
    except LookupError as error:
        raise HTTPException(404) from error
    except UserError as error:
        raise HTTPException(507, error.message) from error
    return JSONResponse({"stored": True})


async def _json_body(request: Request) -> bytes:
    """Read a JSON body of at most ``MAX_BODY_BYTES``."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Content-Type must be application/json")
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise HTTPException(411, "Content-Length required")
    if int(length) > MAX_BODY_BYTES:
        raise HTTPException(413, f"Body larger than {MAX_BODY_BYTES} bytes")
    return await read_body(request, MAX_BODY_BYTES)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = "Not found" if error.detail == "Not Found" else error.detail
    return PlainTextResponse(text, error.status_code, error.headers)


def _item(items: Sequence[ItemT], request: Request) -> ItemT:
    number: int = request.path_params["number"]
    if number >= len(items):
        raise HTTPException(404)
    return items[number]


class _BehindKey:
    """ASGI: serves paths below the key, and answers 404 to all others."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key, _, rest = scope["path"].removeprefix("/").partition("/")
        if secrets.compare_digest(key.encode(), self._key):
            await self._app({**scope, "path": f"/{rest}"}, receive, send)
        else:
            await PlainTextResponse("Not found", 404)(scope, receive, send)
