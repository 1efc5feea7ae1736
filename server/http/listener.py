"""A listening socket and the uvicorn server behind every HTTP application of this package."""

import socket

import uvicorn
from starlette.types import ASGIApp

# Time for requests in progress once the server is asked to end. Jobs are not affected by it.
GRACE_S = 1


def open_socket(host: str, port: int) -> socket.socket:
    """Bind an address and listen on it; port 0 takes a free one.

    Raises:
        OSError: the address cannot be used.
    """
    if not 0 <= port <= 65535:  # the resolver would take the remainder of a division
        raise OSError("a port is a number from 0 to 65535")
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def http_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for an application: no access log, since paths and headers may hold secrets."""
    return uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=GRACE_S
        )
    )
