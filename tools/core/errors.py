"""Form of an error over MCP and in the shell: ``code``, ``message`` (what happened and why), ``hint`` (the next call).

An error holds no traceback and no secret. An unexpected one gets an id; its traceback is under that id in
``errors.log`` of the home and in the server's own log.
"""

import contextlib
import logging
import secrets
import time
import traceback
from pathlib import Path

from jobs.errors import UserError
from jobs.escaping import escape, escape_line
from jobs.trust import owners
from tools.core.redact import redact

logger = logging.getLogger(__name__)
LOG = "errors.log"
LISTS_FAULTS = "bad_arguments"
LONGEST = 2000  # characters of a message; a longer value helps no reader


def error_fields(error: UserError) -> dict[str, dict[str, str]]:
    """Return an error as plain data."""
    # only faults of arguments have lines of their own, which hold nothing from files
    message = escape(error.message) if error.code == LISTS_FAULTS else escape_line(error.message)
    fields = {"code": error.code, "message": _fit(message)}
    return {"error": fields | ({"hint": _fit(escape_line(error.hint))} if error.hint else {})}


def error_text(error: UserError) -> str:
    """Return an error as text: ``code: message``, and the hint on its own line."""
    shown = error_fields(error)["error"]
    return "\n".join([f"{shown['code']}: {shown['message']}", *([shown["hint"]] if "hint" in shown else [])])


def unexpected(what: str, error: BaseException, home: Path) -> UserError:
    """Return the error for a caller, and write the traceback to the log under the id in its message."""
    incident = secrets.token_hex(4)
    details = redact("".join(traceback.format_exception(error)))
    logger.error("%s failed unexpectedly (incident %s)\n%s", what, incident, details)
    with contextlib.suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with owners.open_to_append(home / LOG) as stream:
            line = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} incident {incident}: {what}\n{details}\n"
            stream.write(line.encode(errors="backslashreplace"))
    return UserError(
        "internal_error",
        f"{what} failed unexpectedly (incident {incident} in {home / LOG}).",
        "Jobs that were started continue: see list_jobs. The call may be repeated.",
    )


def _fit(text: str) -> str:
    text = redact(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 200]} … {text[-190:]}"
