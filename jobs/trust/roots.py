"""Roots: the folders that tools and jobs may use, and the one error of a path outside of them."""

import json
from collections.abc import Iterable
from pathlib import Path

from jobs.errors import UserError
from jobs.files.user_folder import expand_user


def is_inside(path: Path, roots: Iterable[Path]) -> bool:
    """Return whether a real path lies in one of the roots."""
    return any(path.is_relative_to(root) for root in roots)


def outside_roots(message: str, hint: str) -> UserError:
    """Return the error of a path that lies, or leads, out of the roots."""
    return UserError("path_outside_roots", message, hint)


def list_folders(folders: Iterable[Path]) -> str:
    """Return folders as the value of ``TTS_TRAIN_ROOTS``; their names may hold ``:``."""
    return json.dumps([str(folder) for folder in folders])


def read_folders(text: str) -> list[Path]:
    """Read ``TTS_TRAIN_ROOTS``: a JSON list, one folder that is there, or folders separated by ``:``.

    Raises ``UserError``: ``settings_invalid``.
    """
    if text.startswith("["):
        try:
            return [Path(folder) for folder in json.loads(text)]
        except (TypeError, ValueError) as error:
            message = f"TTS_TRAIN_ROOTS = {text!r} is no JSON list of folders."
            raise UserError("settings_invalid", message, "Correct it.") from error
    if ":" in text and expand_user(text).is_dir():
        return [expand_user(text)]
    return [expand_user(folder) for folder in text.split(":") if folder]
