"""A leading ``~`` or ``~user`` of a path, expanded. stdlib only."""

from pathlib import Path

from jobs.errors import UserError


def expand_user(path: str | Path) -> Path:
    """Return a path with the home folder in place of a leading ``~`` or ``~user``.

    Raises:
        UserError: ``path_unusable``: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(
            "path_unusable", f"{str(path)!r}: there is no user of that name.", "Write the whole path."
        ) from error
