"""The application: its routes, behind the checks of host, origin and key."""

from pathlib import Path

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from jobs.errors import UserError
from server.http.host_check import HostCheck
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

    Raises:
        UserError: ``port_taken``.
    """

    def __init__(self, context: ToolContext, port: int = 0) -> None:
        self.keys = Keys()
        super().__init__(lambda port: web_app(context, self.keys, port), port)

    @property
    def url(self) -> str:
        """First address, which holds the key."""
        return f"http://{ADDRESS}:{self.port}/{self.keys.first}"


def web_app(context: ToolContext, keys: Keys, port: int) -> ASGIApp:
    """Build the application; ``Host`` and ``Origin`` must name the port."""
    hosts = [f"{name}:{port}" for name in (ADDRESS, "localhost")]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])
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
