"""Folders and names, reached without following a link in any part of a path. stdlib only.

A path that comes from a caller is resolved once, where it comes in. From then on a link in it was put there by somebody
else, perhaps with a dataset that was downloaded, and would lead writing and deleting to another place.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobs.errors import UserError

_SEARCH = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_LIST = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_RDONLY

_trusted: set[str] = set()


def trust_link(path: Path) -> None:
    """Follow a link at this absolute path from now on: only the user can have made it."""
    _trusted.add(str(path))


@contextmanager
def open_folder(path: Path, *, make: bool = False) -> Iterator[int]:
    """Open a folder; other functions take the descriptor as ``dir_fd``. With ``make`` missing folders are made.

    Raises:
        UserError: ``path_is_link``.
        OSError: a part is missing, is no folder, or may not be entered.
    """
    root, *names = Path(os.path.abspath(path)).parts  # noqa: PTH100 (Path.resolve would follow links)
    descriptor = os.open(root, _SEARCH if names else _LIST)
    try:
        for place, name in enumerate(names, 1):
            flags = _LIST if place == len(names) else _SEARCH
            if _trusted and str(Path(root, *names[:place])) in _trusted:
                flags &= ~os.O_NOFOLLOW
            inner = _open_part(descriptor, name, path, flags=flags, make=make)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_parent(path: Path) -> Iterator[tuple[int, str]]:
    """Open the folder that holds a path; give its descriptor and the path's last name.

    Raises:
        UserError: ``path_is_link``.
        OSError: the folder is missing or may not be entered.
    """
    with open_folder(path.parent) as folder:
        yield folder, path.name


def make_folder(path: Path) -> Path:
    """Make a folder and those above it, where they are missing; return it.

    Raises:
        UserError: ``path_is_link``.
        OSError: a part is a file, or may not be made.
    """
    with open_folder(path, make=True):
        return path


def remove(path: Path) -> None:
    """Delete a file, a link itself, or a folder with its content, whose links are not followed; missing is fine.

    Raises:
        UserError: ``path_is_link``: a link stands above it.
        OSError: it cannot be deleted.
    """
    with suppress(FileNotFoundError), open_parent(path) as (folder, name):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder; a file, link or empty folder that has the new name is replaced.

    Raises:
        UserError: ``path_is_link``: a link stands above one of them.
        OSError: as of ``os.rename``.
    """
    with open_parent(source) as (old_folder, old_name), open_parent(target) as (new_folder, new_name):
        os.rename(old_name, new_name, src_dir_fd=old_folder, dst_dir_fd=new_folder)


def refuse_links(*paths: Path) -> None:
    """Check files that a library is about to open by name for writing; they may be missing.

    Raises:
        UserError: ``path_is_link``.
        OSError: the folder is missing or may not be entered.
    """
    for path in paths:
        with suppress(FileNotFoundError), open_parent(path) as (folder, name):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode) or found.st_nlink > 1:
                raise _is_link(path)


def open_in_place(path: Path, flags: int, mode: int = 0o666) -> int:
    """Open a file that is written without being replaced; return the descriptor.

    Raises:
        UserError: ``path_is_link``: it, or a part of its path, is a link, or the file has a second name elsewhere;
            ``file_not_regular``.
        OSError: as of ``os.open``.
    """
    with open_parent(path) as (folder, name):
        try:
            descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _is_link(path) from error
            raise
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise _is_link(path)
    raise UserError("file_not_regular", f"{path} is not a file.", "Move it away and call again.")


def _open_part(folder: int, name: str, path: Path, *, flags: int, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_a_link(folder, name):
            raise _is_link(path) from error
        raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error


def _is_a_link(folder: int, name: str) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _is_link(path: Path) -> UserError:
    return UserError(
        "path_is_link",
        f"{path} is a link, leads through one, or has a second name: writing there could change a file elsewhere.",
        "Give the path that the link leads to, or replace the link by a file or folder of its own.",
    )
