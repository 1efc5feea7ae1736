"""Host and Origin allow-lists for every path of an HTTP application."""

import logging
import re
import secrets
from collections.abc import Iterable
from typing import Protocol

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)

REFUSALS = {421: "Host not allowed", 403: "Cross-origin request refused"}
NO_KEY = "Open the whole address that the command printed: it holds the key.\n"
ANY_PORT = ":*"
# else ":*" would take anything for a port, such as that of http://localhost:80@evil.example
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/@:\[\]?#]+)(?::[0-9]{1,5})?"
HOST, ORIGIN = re.compile(_HOST), re.compile(rf"[a-z][a-z0-9+.-]*://{_HOST}")


class Accepted(Protocol):
    """Accepted ``Host`` and ``Origin`` headers; ``:*`` at the end of one stands for any port."""

    allowed_hosts: list[str]
    allowed_origins: list[str]


class HostCheck:
    """ASGI middleware: refuses a foreign ``Host`` (421) and ``Origin`` (403).

    Args:
        app: application that answers accepted requests.
        security: accepted hosts and origins.
        secret_name: name that ``Host`` must have beside that, compared in constant time; empty: none.
    """

    def __init__(self, app: ASGIApp, security: Accepted, *, secret_name: str = "") -> None:
        self._app = app
        self._security = security
        self._secret_name = secret_name.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        name = host.partition(":")[0].encode()
        if self._secret_name and not secrets.compare_digest(name, self._secret_name):
            return PlainTextResponse(NO_KEY, 421)
        status = 0
        if not HOST.fullmatch(host) or not _is_among(host, self._security.allowed_hosts):
            status = 421
        elif origin and not (ORIGIN.fullmatch(origin) and _is_among(origin, self._security.allowed_origins)):
            status = 403
        if not status:
            return None
        logger.warning("%s: %s", REFUSALS[status], host if status == 421 else origin)
        return PlainTextResponse(REFUSALS[status], status)


def _is_among(name: str, accepted: Iterable[str]) -> bool:
    return any(
        name == each or (each.endswith(ANY_PORT) and name.startswith(each.removesuffix("*"))) for each in accepted
    )
