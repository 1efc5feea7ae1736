"""Host and Origin allow-lists for every path of an HTTP application."""

import re
import secrets

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

REFUSALS = {421: "Host not allowed", 403: "Cross-origin request refused"}
NO_KEY = "Open the whole address that the command printed: it holds the key.\n"
# The SDK's ":*" takes anything for a port, such as that of http://localhost:80@evil.example.
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/@:\[\]?#]+)(?::[0-9]{1,5})?"
HOST, ORIGIN = re.compile(_HOST), re.compile(rf"[a-z][a-z0-9+.-]*://{_HOST}")


class HostCheck:
    """ASGI middleware: refuses a foreign ``Host`` (421) and ``Origin`` (403).

    Args:
        app: application that answers accepted requests.
        security: accepted hosts and origins.
        secret_name: name that ``Host`` must have beside that, compared in constant time; empty: none.
    """

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings, *, secret_name: str = "") -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(security)
        self._secret_name = secret_name.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refusal = await self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        name = host.partition(":")[0].encode()
        if self._secret_name and not secrets.compare_digest(name, self._secret_name):
            return PlainTextResponse(NO_KEY, 421)
        found = await self._security.validate_request(Request(scope))
        status = found.status_code if found is not None else 0
        if not HOST.fullmatch(host):
            status = 421
        elif not status and origin and not ORIGIN.fullmatch(origin):
            status = 403
        return PlainTextResponse(REFUSALS[status], status) if status else None
