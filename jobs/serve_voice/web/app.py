"""The application of a host: its routes, behind the checks of host, origin, rate and token."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.errors import UserError
from jobs.http.host_check import HostCheck
from jobs.http.rate_limit import RateLimit
from jobs.serve_voice.host.utterance import RefusedError
from jobs.serve_voice.host.voice_host import VoiceHost
from jobs.serve_voice.web.answers import answer_error, handle_error
from jobs.serve_voice.web.metrics import Metrics
from jobs.serve_voice.web.speech import speech
from jobs.serve_voice.web.takes import takes
from jobs.speech_host.protocol import PATH as TAKES_PATH

HEALTH = "/health"
LOCAL_NAMES = ("127.0.0.1", "localhost")
MOST_REQUESTS, MOST_PER_S = 256, 1000.0
ROUTES = ("/v1/audio/speech", "/v1/audio/voices", "/v1/models", HEALTH, "/metrics", TAKES_PATH)


@dataclass
class AcceptedHosts:
    """Accepted ``Host`` and ``Origin`` headers."""

    allowed_hosts: list[str]
    allowed_origins: list[str]

    @classmethod
    def of_port(cls, port: int, more: Sequence[str]) -> AcceptedHosts:
        """Return those of this machine, and further names, as behind a proxy."""
        names = [f"{name}:{port}" for name in LOCAL_NAMES]
        hosts = [*names, *LOCAL_NAMES, *more, *(f"{name}:*" for name in more)]
        return cls(hosts, [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts])


def build_app(host: VoiceHost, metrics: Metrics, token: str, accepted: AcceptedHosts) -> ASGIApp:
    """Build the application.

    Args:
        host: that speaks.
        metrics: to count in.
        token: that each request but ``/health`` must bear.
        accepted: names of this server.
    """
    app = Starlette(
        routes=[
            Route("/v1/audio/speech", speech, methods=["POST"]),
            Route("/v1/audio/voices", _voices),
            Route("/v1/models", _models),
            Route(HEALTH, _health),
            Route("/metrics", _metrics),
            Route(TAKES_PATH, takes, methods=["POST"]),
        ],
        exception_handlers={
            UserError: handle_error,
            RefusedError: handle_error,
            HTTPException: handle_error,
            Exception: handle_error,
        },
    )
    app.state.host, app.state.metrics = host, metrics
    app.router.redirect_slashes = False
    behind = _BehindToken(app, token)
    limited = RateLimit(behind, max_concurrent=MOST_REQUESTS, max_per_s=MOST_PER_S, known_caller=behind.known_caller)
    return HostCheck(_Counted(limited, metrics), accepted)


async def _voices(request: Request) -> Response:
    host: VoiceHost = request.app.state.host
    return JSONResponse({"voices": [{"id": entry.name, **asdict(entry)} for entry in host.list_voices()]})


async def _models(request: Request) -> Response:
    host: VoiceHost = request.app.state.host
    names = [model_thread.served.name for model_thread in host.model_threads]
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "tts-train"} for name in names]
    return JSONResponse({"object": "list", "data": data})


async def _health(request: Request) -> Response:
    host: VoiceHost = request.app.state.host
    states = [model_thread.state for model_thread in host.model_threads]
    if host.is_device_wanted:
        status = "yielding"
    elif any(state.error for state in states):
        status = "failing"
    else:
        status = "ok" if all(state.is_loaded for state in states) else "unloaded"
    return JSONResponse({"status": status}, 503 if status == "failing" else 200)


async def _metrics(request: Request) -> Response:
    metrics: Metrics = request.app.state.metrics
    return PlainTextResponse(metrics.render(request.app.state.host), media_type="text/plain; version=0.0.4")


class _BehindToken:
    """ASGI: lets a request pass that bears the token, or asks for health."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    def known_caller(self, scope: Scope) -> str | None:
        """Return a name for who bears the token."""
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        is_known = scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token)
        return "owner" if is_known else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] == HEALTH or self.known_caller(scope) is not None:
            await self._app(scope, receive, send)
            return
        error = UserError(
            "token_wrong",
            "The request bears no token, or another one.",
            "Send Authorization: Bearer TOKEN; the job's result and its progress name the token's file.",
        )
        await answer_error(error)(scope, receive, send)


class _Counted:
    """ASGI: counts answers by route and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in ROUTES else "other"

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.count_request(route, message["status"])
            await send(message)

        await self._app(scope, receive, send_counted)
