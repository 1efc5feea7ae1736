"""The MCP server over streamable HTTP, at ``/mcp``: never open to whoever finds the port.

Every request needs a bearer token, also on this machine, where any user can reach a port. ``Host`` and ``Origin`` are
always checked, so that no web page talks to the server through its visitor's browser.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import Server
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.request_state import RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from jobs.config import HttpSettings
from jobs.errors import UserError
from jobs.settings import Settings
from server.http.auth import FileToken, Introspection, secret_in, token_in
from server.http.rate_limit import Bounds
from server.mcp.server import build
from server.mcp.stdio import log_to_stderr

PATH, HEALTH = "/mcp", "/health"
TOKEN_FILE = "http-token"
# A call that runs when the server is asked to end has this long to answer; jobs are not its business.
GRACE_S = 1
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
EVERYWHERE = ("0.0.0.0", "::")


def serve_http(settings: Settings, token_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT. Jobs go on.

    Args:
        settings: where things are, and the table ``[http]``.
        token_file: file of the bearer token; None: ``http-token`` in the home, on loopback only.

    Raises:
        UserError: ``http_exposed``, ``address_unusable``, ``token_file_unusable`` or ``settings_invalid``.
    """
    log_to_stderr()
    http = settings.http
    refuse_exposure(http, has_token_file=token_file is not None)
    uses_oauth = bool(http.issuer_url) and token_file is None
    listening = _listen(http.host, http.port)
    with listening:
        address = listening.getsockname()
        if uses_oauth:
            verifier: TokenVerifier = Introspection(http, secret_in(http.introspection_secret_file))
            security, admission = None, f"tokens of {http.issuer_url}"
        else:
            path = (token_file or settings.home / TOKEN_FILE).expanduser().absolute()
            token = token_in(path)
            verifier, security = FileToken(token), RequestStateSecurity(keys=[token])
            admission = f"bearer token in {path}"
        app = http_app(build(settings, security), http, verifier, port=address[1], uses_oauth=uses_oauth)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=GRACE_S
        )
        where = f"[{address[0]}]" if ":" in address[0] else address[0]
        sys.stderr.write(f"MCP at http://{where}:{address[1]}{PATH}; {admission}\n")
        sys.stderr.flush()
        uvicorn.Server(config).run(sockets=[listening])


def http_app(
    server: Server[Any], http: HttpSettings, verifier: TokenVerifier, *, port: int, uses_oauth: bool = False
) -> ASGIApp:
    """The whole application: bounds, health, metadata for OAuth, and the server behind a bearer token.

    Args:
        server: what answers.
        http: the table ``[http]``.
        verifier: who may speak.
        port: where it listens.
        uses_oauth: whether the tokens are those of ``issuer_url``; then clients are told where to get one.
    """
    guard = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=accepted_hosts(http, port),
        allowed_origins=[
            *(f"{scheme}://{name}{end}" for scheme in ("http", "https") for name in LOCAL_NAMES for end in ("", ":*")),
            *http.allowed_origins,
        ],
    )
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        host=http.host,
        transport_security=guard,
        max_request_body_size=http.max_body_bytes,
        max_sessions=http.max_concurrent,
        auth=_auth(http, port, uses_oauth=uses_oauth),
        token_verifier=verifier,
        custom_starlette_routes=[Route(HEALTH, _health, methods=["GET"])],
    )
    return Bounds(app, guard, max_concurrent=http.max_concurrent, max_per_s=http.max_per_s)


def accepted_hosts(http: HttpSettings, port: int) -> list[str]:
    """``Host`` headers that mean this server: its address and the names that were allowed, with its port or none."""
    own = f"[{http.host}]" if ":" in http.host else http.host
    names = [] if http.host in EVERYWHERE else [own]
    names += LOCAL_NAMES if is_loopback(http.host) else ()
    # behind a proxy a name is used without this port, or with the proxy's
    names += http.allowed_hosts
    return [host for name in dict.fromkeys(names) for host in (name, f"{name}:{port}")]


def refuse_exposure(http: HttpSettings, *, has_token_file: bool) -> None:
    """Let nobody open the server to a network by one careless flag.

    Raises:
        UserError: ``http_exposed``.
    """
    if is_loopback(http.host):
        return
    if not has_token_file and not http.issuer_url:
        raise UserError(
            "http_exposed",
            f"{http.host} can be reached by others, and whoever gets in runs jobs and reads files as you.",
            "Give the token's file with --token-file F, or OAuth in config.toml [http]; best behind a proxy with TLS.",
        )
    if http.host in EVERYWHERE and not http.allowed_hosts:
        raise UserError(
            "http_exposed",
            f"{http.host} stands for every address, so it is not known which Host headers are meant for this server.",
            "Name those with --allow-host NAME, or listen on one address.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        if not 0 <= port <= 65535:  # the resolver would take the rest of a division
            raise OSError("a port is a number from 0 to 65535")
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        raise UserError(
            "address_unusable", f"{host}:{port}: {error}.", "Choose another --port, or 0 for a free one."
        ) from error
    return listening


def _auth(http: HttpSettings, port: int, *, uses_oauth: bool) -> AuthSettings:
    if not uses_oauth:
        # the SDK wants an issuer; without a resource it tells clients nothing of one
        return AuthSettings(issuer_url=AnyHttpUrl(f"http://127.0.0.1:{port}"), resource_server_url=None)
    try:
        # as texts: an issuer is compared letter by letter, and a parsed URL would get a slash at its end
        return AuthSettings.model_validate(
            {
                "issuer_url": http.issuer_url,
                "resource_server_url": http.resource_server_url,
                "required_scopes": list(http.required_scopes),
                "validate_token_resource": True,
            }
        )
    except ValidationError as error:
        faults = "; ".join(fault["msg"] for fault in error.errors())
        raise UserError("settings_invalid", f"config.toml [http]: {faults}.", "Correct the URLs.") from error


async def _health(request: Request) -> JSONResponse:
    """Alive; nothing else is told to whoever has no token."""
    return JSONResponse({"status": "ok"})
