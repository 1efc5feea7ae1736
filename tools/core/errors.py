"""The one shape of an error, at every door: ``code``, ``message`` (what happened and why), ``hint`` (the next call).

Never a traceback, never a secret. What should not have happened gets an id, under which the traceback is in
``errors.log`` of the home (and in the server's own log).
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
import traceback
from pathlib import Path

from jobs.errors import UserError
from tools.core.redact import redact

logger = logging.getLogger(__name__)
LOG = "errors.log"
LONGEST = 2000  # of a message; a value that fills more is of no use to anybody


def error_fields(error: UserError) -> dict[str, dict[str, str]]:
    """An error as plain data."""
    told = {"code": error.code, "message": _fit(error.message)}
    return {"error": told | ({"hint": _fit(error.hint)} if error.hint else {})}


def error_text(error: UserError) -> str:
    """An error in words: ``code: message``, and the hint on its own line."""
    return f"{error.code}: {_fit(error.message)}" + (f"\n{_fit(error.hint)}" if error.hint else "")


def unexpected(what: str, error: BaseException, home: Path) -> UserError:
    """What a caller hears of an error that nobody foresaw; the traceback goes to the log under the id in it."""
    incident = secrets.token_hex(4)
    told = redact("".join(traceback.format_exception(error)))
    logger.error("%s failed unexpectedly (incident %s)\n%s", what, incident, told)
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        with (home / LOG).open("a", encoding="utf-8") as stream:
            stream.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} incident {incident}: {what}\n{told}\n")
    return UserError(
        "internal_error",
        f"{what} failed in a way that it should not (incident {incident} in {home / LOG}).",
        "Jobs that were started go on: see list_jobs. Calling once more is safe.",
    )


def _fit(text: str) -> str:
    text = redact(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 200]} … {text[-190:]}"
