"""The application: its routes, behind the checks of host, origin and key."""

import os
from collections.abc import Sequence
from pathlib import Path

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from jobs.errors import UserError
from jobs.files.atomic_io import write_json
from jobs.files.folders import make_folder
from jobs.http.addresses import is_everywhere, is_loopback
from jobs.http.host_check import HostCheck
from jobs.runner.client.web_page import ADDRESS as ADDRESS_FIELD
from jobs.runner.machine import locks
from jobs.runner.paths import Home
from server.http.page_server import ADDRESS, PageServer, WithHeaders, limited_page
from server.web.admission import Admission, Keys
from server.web.calls import show_error
from server.web.pages import books, datasets, jobs, listen, training, voices
from server.web.rendering import render, stylesheet
from server.web.vendored import FILES, VENDOR
from tools.core.tool_types import ToolContext

SCRIPTS = Path(__file__).with_name("static")
_TYPES = {".js": "text/javascript", ".css": "text/css"}


class WebServer(PageServer):
    """HTTP server of the application.

    Args:
        context: surroundings of tools.
        port: 0 takes a free one.
        host: address to listen on.
        names: other names by which browsers reach it, such as that of a proxy with TLS.
        token: in the first address; empty: a random one.

    Raises:
        UserError: ``port_taken``.
    """

    def __init__(
        self, context: ToolContext, port: int = 0, *, host: str = ADDRESS, names: Sequence[str] = (), token: str = ""
    ) -> None:
        self.keys = Keys(first=token) if token else Keys()
        self.host, self._home = host, Home(context.settings.home)
        own = f"[{host}]" if ":" in host else host
        accepted = names if is_everywhere(host) else (own, *names)
        super().__init__(lambda port: web_app(context, self.keys, port, accepted), port, host=host)
        self._shown = names[0] if names and (is_loopback(host) or is_everywhere(host)) else f"{own}:{self.port}"
        self._scheme = "https" if names and is_loopback(host) else "http"

    @property
    def url(self) -> str:
        """First address, which holds the key."""
        return f"{self._scheme}://{self._shown}/{self.keys.first}"

    def serve(self) -> None:
        """Serve until ``stop``, SIGINT or SIGTERM; meanwhile answers of tools name the pages."""
        make_folder(self._home.path)
        lock = locks.take(self._home.page_lock, wait=False)
        try:
            if lock is not None:
                write_json(self._home.page, {ADDRESS_FIELD: f"{self._scheme}://{self._shown}{self.keys.root}/"})
            super().serve()
        finally:
            if lock is not None:
                os.close(lock)


def web_app(context: ToolContext, keys: Keys, port: int, names: Sequence[str] = ()) -> ASGIApp:
    """Build the application.

    ``Host`` and ``Origin`` must be a loopback name or one of ``names``, with the port; a name also without it, as
    browsers say behind a proxy.
    """
    hosts = [f"{name}:{port}" for name in (ADDRESS, "localhost", *names)] + list(names)
    origins = [f"{scheme}://{host}" for host in hosts for scheme in (("http", "https") if names else ("http",))]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
    app = Starlette(
        routes=[
            Route("/", jobs.jobs),
            *jobs.ROUTES,
            *training.ROUTES,
            *datasets.ROUTES,
            *voices.ROUTES,
            *listen.ROUTES,
            *books.ROUTES,
            Route("/style.css", _style),
            Route("/static/{name}", _script),
            Route("/vendor/{package}/{name}", _vendored),
        ],
        exception_handlers={UserError: show_error, HTTPException: _refuse, Exception: show_error},
    )
    app.state.context = context
    app.router.redirect_slashes = False
    admitted = Admission(limited_page(app), keys)
    return WithHeaders(HostCheck(admitted, security), {"Cache-Control": "no-store"})


async def _style(request: Request) -> Response:
    return Response(stylesheet(), media_type="text/css")


async def _script(request: Request) -> Response:
    return _file(SCRIPTS, request.path_params["name"], [path.name for path in SCRIPTS.iterdir()])


async def _vendored(request: Request) -> Response:
    package = request.path_params["package"]
    known = [Path(name).name for name in FILES.get(package, ())]
    return _file(VENDOR / package, request.path_params["name"], known)


def _file(folder: Path, name: str, known: list[str]) -> Response:
    if name not in known:
        raise HTTPException(404)
    return FileResponse(folder / name, media_type=_TYPES.get(Path(name).suffix, "text/plain"))


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and "HX-Request" not in request.headers:
        missing = {"code": "page_missing", "message": "There is no such page.", "hint": "Go back to the jobs."}
        return render(request, "error", status=404, error=missing)
    return PlainTextResponse(str(error.detail), error.status_code, error.headers)
