"""Errors of the host as JSON, in the form that clients of OpenAI know."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jobs.errors import UserError
from jobs.escaping import escape_line
from jobs.serve_voice.host.utterance import RefusedError

STATUS = {
    "queue_full": 429,
    "device_wanted": 503,
    "host_ending": 503,
    "model_not_served": 404,
    "voice_not_served": 404,
    "token_wrong": 401,
    "cuda_oom": 503,
    "model_broken": 500,
    "model_cannot_speak": 500,
    "model_without_weights": 500,
}
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


def error_body(code: str, message: str, hint: str = "", status: int = 400) -> dict[str, object]:
    """Return an error's JSON."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    said = escape_line(f"{message} {hint}".strip())
    return {"error": {"message": said, "type": kind, "code": code, "param": None}}


def answer_error(error: Exception) -> Response:
    """Return the answer for why a request is not fulfilled."""
    if isinstance(error, RefusedError):
        inner = error.error
        status = STATUS[inner.code]
        body = error_body(inner.code, inner.message, inner.hint, status)
        return JSONResponse(body, status, {"Retry-After": str(error.retry_after_s)})
    if isinstance(error, UserError):
        status = STATUS.get(error.code, 400)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        return JSONResponse(error_body(error.code, error.message, error.hint, status), status, headers)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "bad_request")
        return JSONResponse(error_body(code, error.detail, status=error.status_code), error.status_code, error.headers)
    body = error_body("internal_error", "A defect of tts-train; the log of the job has more.", status=500)
    return JSONResponse(body, 500)


async def handle_error(_: Request, error: Exception) -> Response:
    """Return the answer for an exception of a route."""
    return answer_error(error)
