"""The file of a bearer token, which its owner alone can read."""

import os
import secrets
from pathlib import Path

from jobs.errors import UserError
from jobs.trust import owners

SHORTEST_TOKEN = 32  # characters; the token is also the key that seals request state kept by clients


def read_or_create_token(path: Path) -> str:
    """Return the bearer token of a file; create the file with a random token if it does not exist.

    Raises:
        UserError: ``token_file_unusable``: too short, or not readable or writable; ``secret_exposed``,
            ``file_not_regular`` or ``file_too_large``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return read_token(path)
        with os.fdopen(descriptor, "w") as stream:
            token = secrets.token_urlsafe(32)
            stream.write(token + "\n")
        return token
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError("token_file_unusable", f"{path}: {why}.", "Name another file for the token.") from error


def read_token(path: Path) -> str:
    """Return the bearer token of a file.

    Raises:
        UserError: as ``read_or_create_token``.
        OSError: it cannot be read.
    """
    try:
        token = owners.read_secret(path)
    except UnicodeDecodeError:
        token = ""
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(
            "token_file_unusable",
            f"{path} has no token of at least {SHORTEST_TOKEN} printable ASCII characters without spaces.",
            "Remove the file; the next start creates one.",
        )
    return token
