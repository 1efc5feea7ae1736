"""Host and Origin allow-lists for every path of an HTTP application."""

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

REFUSALS = {421: "Host not allowed", 403: "Cross-origin request refused"}


class HostCheck:
    """ASGI middleware: refuses a foreign ``Host`` (421) and ``Origin`` (403)."""

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refusal = await self._security.validate_request(Request(scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse(REFUSALS[refusal.status_code], refusal.status_code)(scope, receive, send)
