"""HTTP application before a dashboard that knows neither a key nor a Host check.

The key is the host of the page's address, ``http://KEY.localhost:PORT/``: browsers take every name below ``localhost``
for this machine. A key in the path would not do, since optuna-dashboard's page names paths from the root, nor a cookie,
which is sent to every port of this machine.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from jobs.http.host_check import HostCheck
from jobs.http.request_body import read_body
from server.http.page_server import PageServer, WithHeaders, limited_page

MAX_BODY_BYTES = 1024 * 1024
ANSWER_TIMEOUT_S = 120.0  # optuna-dashboard weighs the parameters of a large study
# Of one connection, or nothing that a dashboard needs to know.
KEPT_BACK = frozenset(
    {"connection", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "expect",
     "content-length", "cookie", "authorization"}
)  # fmt: skip
NOT_RETURNED = KEPT_BACK - {"content-length"} | {"date", "server", "set-cookie", "access-control-allow-origin"}
# For a page that sets none: it loads from its own address only, so that no picture in a note reaches another one.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
# Its pages may frame each other.
FRAMES = {"X-Frame-Options": "SAMEORIGIN"}


class DashboardServer(PageServer):
    """HTTP server before one dashboard.

    Args:
        socket: Unix socket on which the dashboard listens, or will.
        port: 0 takes a free one.
        reads_by_post: whether the page reads its data by POST below ``data/plugin/``; every other change is refused.

    Raises:
        UserError: ``port_taken``.
    """

    def __init__(self, socket: Path, port: int = 0, *, reads_by_post: bool = False) -> None:
        self.key = secrets.token_hex(16)
        super().__init__(lambda port: dashboard_app(socket, self.key, reads_by_post=reads_by_post), port, by_name=True)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{self.key}.localhost:{self.port}/"


def dashboard_app(socket: Path, key: str, *, reads_by_post: bool) -> ASGIApp:
    """Build the application: ``Host`` holds the key, ``Origin`` is the page's own, methods only read."""
    proxy = _Proxy(socket)
    routes = [Route("/{path:path}", proxy.forward, methods=["GET"])]
    if reads_by_post:
        routes.append(Route("/{place:path}data/plugin/{name:path}", proxy.forward, methods=["POST"]))
    host = f"{key}.localhost"
    # any port, since another may be forwarded to this one
    names = [host, f"{host}:*"]
    security = TransportSecuritySettings(allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names])
    app = limited_page(Starlette(routes=routes, lifespan=proxy.lifespan))
    return WithHeaders(HostCheck(app, security, secret_name=host), FRAMES)


class _Proxy:
    """Forwards requests to a Unix socket."""

    def __init__(self, socket: Path) -> None:
        self._transport = httpx.AsyncHTTPTransport(uds=str(socket))

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Close the connections at the end."""
        async with self._transport:
            yield

    async def forward(self, request: Request) -> Response:
        """Answer as the dashboard does."""
        body = await read_body(request, MAX_BODY_BYTES)
        try:
            answer = await self._transport.handle_async_request(_as_sent_on(request, body))
        except httpx.ConnectError:
            return PlainTextResponse("Starting; this page comes again.\n", 503, {"Refresh": "1", "Retry-After": "1"})
        except httpx.HTTPError as error:
            return PlainTextResponse(f"The dashboard does not answer ({type(error).__name__})\n", 502)
        response = StreamingResponse(_stream(answer), answer.status_code)
        response.raw_headers = [
            (name.lower(), value)
            for name, value in answer.headers.raw
            if name.decode("latin-1").lower() not in NOT_RETURNED
        ]
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


def _as_sent_on(request: Request, body: bytes) -> httpx.Request:
    headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1") not in KEPT_BACK]
    target = request.scope["raw_path"]
    if request.scope["query_string"]:
        target += b"?" + request.scope["query_string"]
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), ANSWER_TIMEOUT_S)
    return httpx.Request(
        request.method,
        httpx.URL(scheme="http", host="localhost", raw_path=target),
        headers=headers,
        content=body or None,
        extensions={"timeout": timeout},
    )


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()
