"""Who may speak over HTTP: who holds the token in a file, or a token that an authorization server vouches for."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from mcp.server.auth.provider import AccessToken
from pydantic import ValidationError

from jobs.config import HttpSettings
from jobs.errors import UserError

SHORTEST_TOKEN = 32  # characters; it also seals what clients carry back
INTROSPECTION_TIMEOUT_S = 10.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def token_in(path: Path) -> str:
    """The bearer token of a file, which is made with a random one if it is not there.

    Raises:
        UserError: ``token_file_unusable``: not ours alone to read, too short, or not to be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return _read_secret(path)
        with os.fdopen(descriptor, "w") as stream:
            token = secrets.token_urlsafe(32)
            stream.write(token + "\n")
        return token
    except OSError as error:
        raise UserError(
            "token_file_unusable", f"{path}: {error.strerror or error}.", "Choose another with --token-file F."
        ) from error


def _read_secret(path: Path) -> str:
    with path.open() as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077:
            raise UserError(
                "token_file_unusable",
                f"{path} may be read by others than you (mode {stat.S_IMODE(state.st_mode):04o}).",
                f"chmod 600 {path}, after writing a new token if the old one may be known.",
            )
        token = stream.read().strip()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(
            "token_file_unusable",
            f"{path} holds no token of at least {SHORTEST_TOKEN} printable characters in one word.",
            "Remove the file; the next start makes one.",
        )
    return token


class FileToken:
    """Knows one token; the SDK's ``TokenVerifier``."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def verify_token(self, token: str) -> AccessToken | None:
        """The bearer, if the token is ours. Takes as long whatever is wrong with it."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        return AccessToken(token=token, client_id="token-file", scopes=[])


class Introspection:
    """Asks the authorization server about every token (RFC 7662); the SDK's ``TokenVerifier``.

    Nothing is kept: a token that is revoked stops working with the next request.

    Args:
        settings: where to ask, and as whom.
        secret: this server's secret there; empty: ask without.
        transport: for tests.
    """

    def __init__(
        self, settings: HttpSettings, secret: str = "", transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        for name in ("issuer_url", "introspection_url"):
            url = urlsplit(getattr(settings, name))
            if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
                raise UserError(
                    "settings_invalid",
                    f"[http] {name} = {getattr(settings, name)!r} is not https.",
                    "Tokens go there: use https. Plain http is taken on this machine only.",
                )
        self._settings = settings
        named = settings.introspection_client_id
        self._auth = httpx.BasicAuth(named, secret) if named else None
        self._transport = transport

    async def verify_token(self, token: str) -> AccessToken | None:
        """The bearer, if the authorization server says that the token holds; nobody when it cannot be asked."""
        try:
            async with httpx.AsyncClient(
                auth=self._auth, transport=self._transport, timeout=INTROSPECTION_TIMEOUT_S
            ) as client:
                answer = await client.post(self._settings.introspection_url, data={"token": token})
            told = answer.json() if answer.status_code == httpx.codes.OK else {}
        except (httpx.HTTPError, ValueError):
            return None
        if not isinstance(told, dict) or told.get("active") is not True:
            return None
        if str(told.get("iss", self._settings.issuer_url)).rstrip("/") != self._settings.issuer_url.rstrip("/"):
            return None
        audience = told.get("aud", [])
        audiences = audience if isinstance(audience, list) else [audience]
        ours = self._settings.resource_server_url
        try:
            return AccessToken(
                token=token,
                client_id=str(told.get("client_id", "unknown")),
                scopes=str(told.get("scope", "")).split(),
                expires_at=told.get("exp"),
                # the SDK refuses a token for another resource
                resource=next((entry for entry in audiences if str(entry).rstrip("/") == ours.rstrip("/")), None),
                subject=told.get("sub"),
                claims={"iss": self._settings.issuer_url},
            )
        except ValidationError:  # the authorization server answers something else than RFC 7662 says
            return None


def secret_in(path: str) -> str:
    """The secret in a file that only we may read; empty without one. Raises ``UserError`` ``token_file_unusable``."""
    if not path:
        return ""
    try:
        return _read_secret(Path(path).expanduser())
    except OSError as error:
        raise UserError("token_file_unusable", f"{path}: {error.strerror or error}.", "Correct config.toml.") from error
