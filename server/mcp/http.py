"""The MCP server over streamable HTTP, at ``/mcp``.

Every request needs a bearer token, also on this machine, where any user can reach a port. ``Host`` and ``Origin`` are
always checked, so that no web page can reach the server through its visitor's browser.
"""

import sys
from pathlib import Path
from typing import Any

from mcp.server import Server
from mcp.server.auth.settings import AuthSettings
from mcp.server.request_state import RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl, ValidationError
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from jobs.config import HttpSettings
from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.http.addresses import is_everywhere, is_loopback
from jobs.http.connections import connection_limits
from jobs.http.host_check import HostCheck
from jobs.http.listener import http_server, open_socket
from jobs.http.rate_limit import RateLimit
from jobs.http.token_file import read_or_create_token
from jobs.settings import Settings
from server.http.auth import (
    FileTokenVerifier,
    IntrospectionVerifier,
    Verifier,
    known_caller,
    read_secret,
)
from server.mcp.server import build
from server.stderr_log import log_to_stderr

PATH, HEALTH = "/mcp", "/health"
TOKEN_FILE = "http-token"
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")


def serve_http(settings: Settings, http: HttpSettings, token_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT. Jobs go on.

    Args:
        settings: paths and limits.
        http: the table ``[http]``, with the flags of the command.
        token_file: file of the bearer token; None: ``http-token`` in the home, on loopback only.

    Raises:
        UserError: ``http_exposed``, ``address_unusable``, ``token_file_unusable`` or ``settings_invalid``.
    """
    log_to_stderr()
    refuse_exposure(http, has_token_file=token_file is not None)
    uses_oauth = bool(http.issuer_url) and token_file is None
    try:
        listener = open_socket(http.host, http.port)
    except OSError as error:
        raise UserError(
            "address_unusable", f"{http.host}:{http.port}: {error}.", "Choose another --port, or 0 for a free one."
        ) from error
    with listener:
        address = listener.getsockname()
        if uses_oauth:
            verifier: Verifier = IntrospectionVerifier(http, read_secret(http.introspection_secret_file))
            security, admission = None, f"tokens of {http.issuer_url}"
        else:
            path = expand_user(token_file or settings.home / TOKEN_FILE).absolute()
            token = read_or_create_token(path)
            verifier, security = FileTokenVerifier(token), RequestStateSecurity(keys=[token])
            admission = f"bearer token in {path}"
        app = http_app(build(settings, security), http, verifier, port=address[1], uses_oauth=uses_oauth)
        where = f"[{address[0]}]" if ":" in address[0] else address[0]
        sys.stderr.write(f"MCP at http://{where}:{address[1]}{PATH}; {admission}\n")
        sys.stderr.flush()
        http_server(app, connection_limits(http.max_concurrent)).run(sockets=[listener])


def http_app(
    server: Server[Any], http: HttpSettings, verifier: Verifier, *, port: int, uses_oauth: bool = False
) -> ASGIApp:
    """Build the application: request limits, health, OAuth metadata, and the MCP server behind a bearer token.

    Args:
        server: the MCP server.
        http: the table ``[http]``.
        verifier: checks bearer tokens.
        port: port it listens on.
        uses_oauth: whether the tokens are those of ``issuer_url``; the metadata then says where to get one.
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
        session_idle_timeout=http.session_idle_s,
        max_sessions=http.max_concurrent,
        auth=_auth(http, port, uses_oauth=uses_oauth),
        token_verifier=verifier,
    )
    limited = RateLimit(
        app,
        max_concurrent=http.max_concurrent,
        max_per_s=http.max_per_s,
        known_caller=lambda scope: known_caller(scope, verifier),
    )
    return HostCheck(_HealthFirst(limited), guard)


def accepted_hosts(http: HttpSettings, port: int) -> list[str]:
    """Return the accepted ``Host`` headers: own address and allowed names, each with this port and with none."""
    own = f"[{http.host}]" if ":" in http.host else http.host
    names = [] if is_everywhere(http.host) else [own]
    names += LOCAL_NAMES if is_loopback(http.host) else ()
    # behind a proxy a name is used without this port, or with the proxy's
    names += http.allowed_hosts
    return [host for name in dict.fromkeys(names) for host in (name, f"{name}:{port}")]


def refuse_exposure(http: HttpSettings, *, has_token_file: bool) -> None:
    """Refuse to listen beyond this machine without a token file or OAuth.

    Raises:
        UserError: ``http_exposed``.
    """
    if is_loopback(http.host):
        return
    if not has_token_file and not http.issuer_url:
        raise UserError(
            "http_exposed",
            f"{http.host} can be reached from other machines, and every client runs jobs and reads files as you.",
            "Give the token's file with --token-file F, or OAuth in config.toml [http]; use a proxy with TLS.",
        )
    if is_everywhere(http.host) and not http.allowed_hosts:
        raise UserError(
            "http_exposed",
            f"{http.host} means every address, so the accepted Host headers are not known.",
            "Name them with --allow-host NAME, or listen on one address.",
        )


def _auth(http: HttpSettings, port: int, *, uses_oauth: bool) -> AuthSettings:
    if not uses_oauth:
        # the SDK requires an issuer; without a resource it publishes no metadata
        return AuthSettings(issuer_url=AnyHttpUrl(f"http://127.0.0.1:{port}"), resource_server_url=None)
    try:
        # as text: issuers are compared character by character, and a parsed URL gets a trailing slash
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


class _HealthFirst:
    """ASGI: says at ``/health`` without a token or a limit that the server runs, and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_asked = scope["type"] == "http" and scope["path"] == HEALTH and scope["method"] in ("GET", "HEAD")
        await (JSONResponse({"status": "ok"}) if is_asked else self._app)(scope, receive, send)
