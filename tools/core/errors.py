"""Form of an error over MCP and in the shell: ``code``, ``message`` (what happened and why), ``hint`` (the next call).

A message names files, texts and fields that strangers may have written, so it is marked as ``untrusted``. A hint holds
this program's words, the caller's arguments, and paths only.

An error holds no traceback and no secret. An unexpected one gets an id; its traceback is under that id in
``errors.log`` of the home and in the server's own log.
"""

import contextlib
import errno
import logging
import os
import secrets
import time
import traceback
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.escaping import escape, escape_line
from jobs.text.redaction import redact
from jobs.trust import owners

logger = logging.getLogger(__name__)
LOG = "errors.log"
UNTRUSTED, MESSAGE = "untrusted", "message"
LISTS_FAULTS = "bad_arguments"
FULL = (errno.ENOSPC, errno.EDQUOT)
UNUSABLE = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT, errno.ENOTDIR),
        *(errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO),
    }
)
LONGEST = 2000  # characters of a message; a longer value helps no reader


def error_fields(error: UserError) -> dict[str, Any]:
    """Return an error as plain data: the object ``error``, and in ``untrusted`` its fields with others' words."""
    return {"error": _shown(error), UNTRUSTED: [f"error.{MESSAGE}"]}


def error_text(error: UserError) -> str:
    """Return an error as text: ``code: message``, and the hint on its own line."""
    shown = _shown(error)
    return "\n".join([f"{shown['code']}: {shown[MESSAGE]}", *([shown["hint"]] if "hint" in shown else [])])


def _shown(error: UserError) -> dict[str, str]:
    # only faults of arguments have lines of their own, which hold nothing from files
    message = escape(error.message) if error.code == LISTS_FAULTS else escape_line(error.message)
    fields = {"code": error.code, MESSAGE: _fit(message)}
    return fields | ({"hint": _fit(escape_line(error.hint))} if error.hint else {})


def unexpected(what: str, error: BaseException, home: Path) -> UserError:
    """Return the error for a caller.

    One about a path or a full disk says so; of any other the traceback goes to the log under the id in its message.
    """
    if isinstance(error, OSError) and (told := path_error(error)) is not None:
        return told
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


def path_error(error: OSError) -> UserError | None:
    """Return the error for a file or folder that cannot be used; None for others, e.g. of a socket."""
    if error.errno in FULL:
        return UserError("disk_full", f"{error.filename or 'A file'}: {error.strerror}.", "Free some, then call again.")
    if error.filename is None or error.errno not in UNUSABLE:
        return None
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    return UserError(
        "path_unusable",
        f"{name}: {error.strerror}.",
        "Give a path that you may read, or write where it is an output, or correct its rights.",
    )


def _fit(text: str) -> str:
    text = redact(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 200]} … {text[-190:]}"
