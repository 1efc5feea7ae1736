"""Deletion of what a job has made in a folder, file by file: what anybody else has put there stays. stdlib only.

A job's output is a folder where people keep notes, recordings and copies of weights too. What a job makes there is
known by the paths of its files within the folder, so a copy in another folder within is not taken for the job's.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from jobs.files.folders import make_folder, remove


def remove_own(folder: Path, own: re.Pattern[str]) -> None:
    """Delete a job's files below a folder, and the folders that are empty then; missing is fine.

    Args:
        folder: a link in its place is deleted itself.
        own: pattern of the whole path of a file that jobs make, relative to the folder, with ``/``.

    Raises:
        UserError: ``path_is_link``: a link stands above it.
        OSError: a file cannot be deleted.
    """
    if folder.is_symlink() or not folder.is_dir():
        remove(folder)
        return
    emptied = {folder}
    for path in list(walk_files(folder)):
        if _is_own(path, folder, own):
            remove(path)
            emptied.update(inner for inner in path.parents if inner.is_relative_to(folder))
    for inner in sorted(emptied, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):  # not empty
            inner.rmdir()


def give_others(former: Path, new: Path, own: re.Pattern[str]) -> None:
    """Give the files of a folder that no job has made a second name in the folder that will replace it.

    Args:
        former: the folder that is about to be replaced.
        new: what it is replaced by; its own files stay.
        own: as of ``remove_own``.

    Raises:
        OSError: a file can neither be linked nor be copied.
    """
    if former.is_symlink() or not former.is_dir():
        return
    for path in walk_files(former):
        target = new / path.relative_to(former)
        if not _is_own(path, former, own) and not os.path.lexists(target):
            make_folder(target.parent)
            os.link(path, target, follow_symlinks=False)


def walk_files(folder: Path, is_entered: Callable[[str], bool] = lambda name: True) -> Iterator[Path]:
    """Iterate over everything below a folder that is no folder, of each folder by name, before those within it.

    Links are not followed. ``os.walk`` and ``Path.rglob`` fail in folders a thousand deep, which a stranger can make.

    Args:
        is_entered: by the name of a folder.
    """
    for _, files in _walk(folder, is_entered):
        yield from files


def _is_own(path: Path, folder: Path, own: re.Pattern[str]) -> bool:
    return own.fullmatch(path.relative_to(folder).as_posix()) is not None


def _walk(folder: Path, is_entered: Callable[[str], bool]) -> Iterator[tuple[Path, list[Path]]]:
    pending = [folder]
    while pending:
        inner = pending.pop()
        with os.scandir(inner) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        folders = [entry for entry in found if entry.is_dir(follow_symlinks=False)]
        pending += [Path(entry.path) for entry in reversed(folders) if is_entered(entry.name)]
        yield inner, [Path(entry.path) for entry in found if not entry.is_dir(follow_symlinks=False)]
