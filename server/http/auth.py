"""Bearer tokens: one in a file, or those that an OAuth authorization server confirms (RFC 7662)."""

import hashlib
import hmac
from collections import OrderedDict
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from mcp.server.auth.provider import AccessToken
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.types import Scope

from jobs.config import HttpSettings
from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.http.addresses import is_loopback
from jobs.trust import owners

INTROSPECTION_TIMEOUT_S = 10.0
MOST_KNOWN_TOKENS = 1024


class Verifier(Protocol):
    """The SDK's ``TokenVerifier``, which also knows some tokens by themselves."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the access of a token, None if it has none."""

    def is_known(self, token: str) -> bool:
        """Return whether a token is, or lately was, a right one; nothing is asked."""


def known_caller(scope: Scope, verifier: Verifier) -> str | None:
    """Return a name for the bearer of a known token; None for others."""
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    return _digest(token) if scheme.lower() == "bearer" and verifier.is_known(token) else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class FileTokenVerifier:
    """Verifier of one fixed token."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the access of the right token, else None; compares in constant time."""
        return AccessToken(token=token, client_id="token-file", scopes=[]) if self.is_known(token) else None

    def is_known(self, token: str) -> bool:
        """Return whether it is the token."""
        return hmac.compare_digest(token.encode(), self._token.encode())


class IntrospectionVerifier:
    """Verifier that asks the authorization server about every token (RFC 7662).

    No answer is cached: a revoked token stops working with the next request. Only which tokens were right the last
    time is remembered, so that a flood of wrong ones does not use up their rate.

    Args:
        settings: introspection endpoint and client id.
        secret: client secret; empty: no client authentication.
        transport: replaces the network in tests.
    """

    def __init__(
        self, settings: HttpSettings, secret: str = "", transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        for name in ("issuer_url", "introspection_url"):
            url = urlsplit(getattr(settings, name))
            if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname or "")):
                raise UserError(
                    "settings_invalid",
                    f"[http] {name} = {getattr(settings, name)!r} is not https.",
                    "Tokens are sent there: use https. Plain http is accepted on this machine only.",
                )
        self._settings = settings
        client_id = settings.introspection_client_id
        self._auth = httpx.BasicAuth(client_id, secret) if client_id else None
        self._transport = transport
        self._known: OrderedDict[str, None] = OrderedDict()

    def is_known(self, token: str) -> bool:
        """Return whether a token was a right one when it was last asked about."""
        return _digest(token) in self._known

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the access of an active token of this issuer; None if it is not, or the issuer cannot be asked."""
        access = await self._introspect(token)
        self._known.pop(_digest(token), None)
        if access is not None and access.resource is not None:
            self._known[_digest(token)] = None
            if len(self._known) > MOST_KNOWN_TOKENS:
                self._known.popitem(last=False)
        return access

    async def _introspect(self, token: str) -> AccessToken | None:
        try:
            async with httpx.AsyncClient(
                auth=self._auth, transport=self._transport, timeout=INTROSPECTION_TIMEOUT_S
            ) as client:
                answer = await client.post(self._settings.introspection_url, data={"token": token})
            claims = answer.json() if answer.status_code == httpx.codes.OK else {}
        except (httpx.HTTPError, ValueError):
            return None
        if not isinstance(claims, dict) or claims.get("active") is not True:
            return None
        if str(claims.get("iss", self._settings.issuer_url)).rstrip("/") != self._settings.issuer_url.rstrip("/"):
            return None
        audience = claims.get("aud", [])
        audiences = audience if isinstance(audience, list) else [audience]
        ours = self._settings.resource_server_url
        try:
            return AccessToken(
                token=token,
                client_id=str(claims.get("client_id", "unknown")),
                scopes=str(claims.get("scope", "")).split(),
                expires_at=claims.get("exp"),
                # the SDK refuses a token for another resource
                resource=next((entry for entry in audiences if str(entry).rstrip("/") == ours.rstrip("/")), None),
                subject=claims.get("sub"),
                claims={"iss": self._settings.issuer_url},
            )
        except ValidationError:  # the answer does not follow RFC 7662
            return None


def read_secret(path: str) -> str:
    """Return the secret in a file that only the owner may read; empty without a path.

    Raises:
        UserError: ``token_file_unusable``, ``secret_exposed``, ``file_not_regular`` or ``file_too_large``.
    """
    if not path:
        return ""
    try:
        return owners.read_secret(expand_user(path))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError("token_file_unusable", f"{path}: {why}.", "Correct config.toml.") from error
