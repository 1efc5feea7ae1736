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


def error_document(error: Exception) -> tuple[dict[str, object], int]:
    """Return the JSON for why a request is not fulfilled, and its status."""
    inner = error.error if isinstance(error, RefusedError) else error
    if isinstance(inner, UserError):
        status = STATUS.get(inner.code, 400)
        return error_body(inner.code, inner.message, inner.hint, status), status
    if isinstance(inner, HTTPException):
        code = _CODES.get(inner.status_code, "bad_request")
        return error_body(code, inner.detail, status=inner.status_code), inner.status_code
    return error_body("internal_error", "A defect of tts-train; the log of the job has more.", status=500), 500


def answer_error(error: Exception) -> Response:
    """Return the answer for why a request is not fulfilled."""
    document, status = error_document(error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if isinstance(error, RefusedError):
        headers = {"Retry-After": str(error.retry_after_s)}
    elif isinstance(error, UserError) and status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse(document, status, headers)


async def handle_error(_: Request, error: Exception) -> Response:
    """Return the answer for an exception of a route."""
    return answer_error(error)
