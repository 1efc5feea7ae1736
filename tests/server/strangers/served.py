"""The product's HTTP server for clients that send no token: it puts the right one on each request that has none.

``--fixtures`` adds what the conformance suite asks for by name. Writes its URL to stdout.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from fixtures import add_fixtures
from mcp.server.request_state import RequestStateSecurity
from mcp.shared.exceptions import MCPDeprecationWarning
from starlette.types import ASGIApp, Receive, Scope, Send

import tools
from jobs.config import HttpSettings
from jobs.http.connections import connection_limits
from jobs.http.listener import http_server, open_socket
from jobs.settings import Settings
from server.http.auth import FileTokenVerifier
from server.mcp.http import PATH, http_app
from server.mcp.server import build

TOKEN = "a token of the tests alone, " * 2


def with_token(app: ASGIApp) -> ASGIApp:
    """Add the header that these clients cannot send."""

    async def authorized(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {TOKEN}".encode())]
        await app(scope, receive, send)

    return authorized


def main() -> None:
    """Listen and serve until ended."""
    settings = Settings.from_environment()
    has_fixtures = "--fixtures" in sys.argv
    if has_fixtures:  # before the server is built: its instructions list the tools
        tools.__path__.append(str(Path(__file__).parent / "tools"))
    server = build(settings, RequestStateSecurity(keys=[TOKEN]))
    if has_fixtures:
        warnings.simplefilter("ignore", MCPDeprecationWarning)  # the suite tests what older revisions had
        add_fixtures(server)
    with open_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        app = with_token(http_app(server, HttpSettings(), FileTokenVerifier(TOKEN), port=port))
        sys.stdout.write(f"http://127.0.0.1:{port}{PATH}\n")
        sys.stdout.flush()
        http_server(app, connection_limits(64)).run(sockets=[listener])


if __name__ == "__main__":
    main()
