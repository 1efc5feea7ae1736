"""Server of a page for the person at this machine, on the loopback address where no other one is asked for."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import TypeVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.errors import UserError
from jobs.http.connections import connection_limits
from jobs.http.listener import http_server, open_socket
from jobs.http.rate_limit import RateLimit

ADDRESS, ADDRESS_V6 = "127.0.0.1", "::1"
# Far above one browser that plays and rates, or draws curves.
MAX_CONCURRENT, MAX_PER_S = 64, 200.0
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ServerT = TypeVar("ServerT", bound="PageServer")


class PageServer:
    """Listening socket and server of one page.

    Args:
        build: makes the application for a port.
        port: 0 takes a free one.
        by_name: the page is reached by a name of this machine, which a browser may look for at either loopback address.
        host: address to listen on.

    Raises:
        UserError: ``port_taken``.
    """

    def __init__(
        self, build: Callable[[int], ASGIApp], port: int = 0, *, by_name: bool = False, host: str = ADDRESS
    ) -> None:
        try:
            self._sockets = [open_socket(host, port)]
            self.port: int = self._sockets[0].getsockname()[1]
            if by_name and (other := _open_if_there(ADDRESS_V6, self.port)) is not None:
                self._sockets.append(other)
        except OSError as error:
            where = f"Port {port}" if host == ADDRESS else f"{host}:{port}"
            raise UserError("port_taken", f"{where} cannot be opened: {error}.", "Give another --port.") from error
        self._server = http_server(build(self.port), connection_limits(MAX_CONCURRENT))

    def serve(self) -> None:
        """Serve until ``stop``, SIGINT or SIGTERM."""
        self._server.run(sockets=self._sockets)

    def stop(self) -> None:
        """Let ``serve`` return."""
        self._server.should_exit = True

    def __enter__(self: ServerT) -> ServerT:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._sockets:
            each.close()


def _open_if_there(host: str, port: int) -> socket.socket | None:
    """Listen on an address too, or return None where the machine does not have it. Raises ``OSError``: it is taken."""
    try:
        return open_socket(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
        return None


def limited_page(app: ASGIApp) -> ASGIApp:
    """Bound the requests of a page; to be placed behind the check of its key, so that no stranger uses them up."""
    return RateLimit(app, max_concurrent=MAX_CONCURRENT, max_per_s=MAX_PER_S, known_caller=lambda scope: "page")


class WithHeaders:
    """ASGI: sets ``SECURITY_HEADERS`` and others in every response, and removes some.

    Args:
        app: application that responds.
        more: headers to set beside ``SECURITY_HEADERS``.
        removed: names of headers to remove.
    """

    def __init__(self, app: ASGIApp, more: Mapping[str, str], removed: Collection[str] = ()) -> None:
        self._app = app
        self._set = {**SECURITY_HEADERS, **more}
        self._removed = removed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._set)
                for name in self._removed:
                    del headers[name]
            await send(message)

        await self._app(scope, receive, send_changed)
