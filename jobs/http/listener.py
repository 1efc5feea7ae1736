"""A listening socket and the uvicorn server behind every HTTP application of this package."""

import socket

import uvicorn
from starlette.types import ASGIApp

from jobs.http.connections import ConnectionLimits, bounded_protocol

# Time for requests in progress once the server is asked to end. Jobs are not affected by it.
GRACE_S = 1
# Connections that wait to be accepted; asyncio accepts that many at once, whatever the limit of connections is.
BACKLOG = 64


def open_socket(host: str, port: int) -> socket.socket:
    """Bind an address and listen on it; port 0 takes a free one.

    Raises:
        OSError: the address cannot be used.
    """
    if not 0 <= port <= 65535:  # the resolver would take the remainder of a division
        raise OSError("a port is a number from 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except ValueError as error:  # of the encoding of names
        raise OSError("the address is none") from error
    listener = socket.socket(family, kind, protocol)  # asyncio sets TCP_NODELAY only if the protocol is named
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def http_server(app: ASGIApp, limits: ConnectionLimits) -> uvicorn.Server:
    """Return a server for an application.

    It keeps no access log, since paths and headers may hold secrets, and believes no ``X-Forwarded-For``, which any
    program on this machine can send.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=bounded_protocol(limits),
            ws="none",
            backlog=BACKLOG,
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
