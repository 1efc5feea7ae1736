"""Removal of private matters from texts that are published: paths of this machine, secrets."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from jobs.errors import UserError
from jobs.text.redaction import redact

# An absolute path of two parts or more, also below a home; neither a part of an address nor of a relative path.
PATH = re.compile(r"(?<![\w/:.~-])~?/(?:[^/\s\"'`<>|;,()\[\]{}]+/)+[^/\s\"'`<>|;,()\[\]{}]*")
HOMES = re.compile(r"/(?:home|Users)/[\w.-]+/|/root/")


def clean(value: Any) -> Any:
    """Return plain data in whose strings a path is only its last name, and no secret is left."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): clean(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean(part) for part in value]
    return value


def clean_text(text: str) -> str:
    """Return a text without paths of this machine and secrets."""
    if text.startswith(("/", "~/")) and "\n" not in text and text.count("/") > 1:
        return redact(PurePosixPath(text).name)  # the whole text is a path, perhaps with spaces
    return redact(PATH.sub(lambda found: PurePosixPath(found[0]).name, text))


def check_clean(name: str, text: str) -> None:
    """Check the text of a file that is about to be published.

    Raises:
        UserError: ``publication_unclean``.
    """
    home = f"{Path.home()}/"
    if home in text or HOMES.search(text) or redact(text) != text:
        raise UserError(
            "publication_unclean",
            f"{name} holds a path of this machine or what looks like a token.",
            "Take it out of the voice's card or of consent, then call again. Nothing was published.",
        )
