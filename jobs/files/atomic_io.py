"""Files and folders that are whole or not there, also after a kill, a power cut or on a full disk. stdlib only.

New content is written under a temporary name that cannot be foreseen, flushed to the disk and renamed. No link is
followed (see ``jobs.files.folders``). A file has one writer at a time. What a killed writer has left is deleted, or put
back, by the next process that writes into the folder.
"""

import ctypes
import fcntl
import io
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from jobs.files.folders import make_folder, open_parent
from jobs.files.own_files import give_others

_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.tts-train-new", re.DOTALL)
_FORMER = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.tts-train-former", re.DOTALL)
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PRIVATE = 0o600
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2
_swept: set[tuple[int, int]] = set()
"""Folders, by device and inode, from which this process has deleted leftovers."""


def write_json(path: Path, content: Any) -> None:
    """Write a JSON document."""
    write_bytes(path, encode(content))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes, *, sync: bool = True, mode: int | None = None) -> None:
    """Write bytes.

    Without ``sync`` they may not be on the disk yet: for very many files that are flushed afterwards. A file without
    ``mode`` gets the usual permissions; one with it is its owner's only while it is written.
    """
    with open_binary(path, sync=sync, mode=mode) as stream:
        stream.write(content)


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing that takes its name when it is closed without an error."""
    with open_binary(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8")
        yield text
        text.flush()


@contextmanager
def open_binary(path: Path, *, sync: bool = True, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing and reading that takes its name when it is closed without an error.

    On an error the file that was there stays, and the new one is deleted.

    Raises:
        UserError: ``path_is_link``: a part of the path above the file is a link. One in the file's own place is
            replaced.
        OSError: the folder is missing, the disk is full, and the like.
    """
    with open_parent(path) as (folder, name):
        temporary, descriptor = _make_temporary(folder, name, 0o666 if mode is None else 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as stream:
                yield stream
                stream.flush()
                if mode is not None:
                    os.fchmod(stream.fileno(), mode)
                if sync:
                    os.fsync(stream.fileno())
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        if sync:
            os.fsync(folder)


@contextmanager
def replacing_folder(path: Path, own: re.Pattern[str] | None = None) -> Iterator[Path]:
    """Give an empty folder to fill, by any means, which then takes the place of ``path`` and of what is there.

    Folders above it are made. Files of the former folder whose paths in it ``own`` does not match are a person's: they
    stay. Without ``own`` none does.

    Before, its files get the permissions that the umask gives, whatever wrote them (safetensors makes files for the
    owner alone), and are flushed to the disk. On an error the folder that was there stays, and the new one is deleted.

    Raises:
        UserError: ``path_is_link``.
        OSError: the folder above is missing, the disk is full, and the like.
    """
    make_folder(path.parent)
    with open_parent(path) as (parent, name):
        temporary, descriptor = _make_temporary(parent, name, None)
        try:
            yield path.with_name(temporary)
            usual = stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o777
            for folder, folders, files in os.walk(path.with_name(temporary)):
                for inner in (*folders, *files):
                    _set_usual_mode(Path(folder, inner), usual)
                for file in files:
                    flush(Path(folder, file))
            if own is not None:
                give_others(path, path.with_name(temporary), own)
            _exchange(parent, temporary, name)
            os.fsync(parent)
        finally:  # what remains under this name is the unfinished or the former one
            os.close(descriptor)
            _delete(parent, temporary)


def _set_usual_mode(path: Path, usual: int) -> None:
    """Give a new file or folder the permissions of a folder made in the usual way, files without those to execute.

    A file with other names (a hard link of a model's) keeps its own: they are also those of the other names.
    """
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode):
        mode = usual
    elif stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        mode = usual & 0o666
    else:
        return
    if stat.S_IMODE(found.st_mode) != mode:
        path.chmod(mode)


def flush(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encode(content: Any) -> bytes:
    """Return a JSON document as it is written."""
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def _make_temporary(folder: int, name: str, mode: int | None) -> tuple[str, int]:
    """Make and lock a new file, or a new folder without ``mode``; return its name and descriptor.

    The lock shows other processes that it is no leftover.
    """
    sweep(folder)
    while True:
        temporary = temporary_name(name)
        if mode is None:
            os.mkdir(temporary, dir_fd=folder)
            descriptor = os.open(temporary, _FOLDER, dir_fd=folder)
        else:
            descriptor = os.open(temporary, _NEW_FILE, mode, dir_fd=folder)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):  # another process took it for a leftover before it was locked
            os.stat(temporary, dir_fd=folder, follow_symlinks=False)
            return temporary, descriptor
        os.close(descriptor)


def temporary_name(name: str) -> str:
    """Make a name for what will be renamed to ``name``; ``sweep`` knows it when it is left."""
    return f".{name[:60]}.{secrets.token_hex(8)}.tts-train-new"


def name_to_restore(entry: str) -> str | None:
    """Return the name that ``sweep`` would give back to an entry of a folder; None: the entry is no former folder."""
    former = _FORMER.fullmatch(entry)
    return former["name"] if former else None


def sweep(folder: int) -> None:
    """Delete what killed writers have left in a folder, given by its descriptor, once a process.

    A former folder whose name was not given to the new one yet gets it back.
    """
    found = os.fstat(folder)
    key = (found.st_dev, found.st_ino)
    if key in _swept:
        return
    _swept.add(key)
    for name in os.listdir(folder):
        former = _FORMER.fullmatch(name)
        if not former and not _LEFTOVER.fullmatch(name):
            continue
        with suppress(OSError):  # in use, deleted by another process, or not ours to delete
            descriptor = _open_leftover(folder, name)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if former and not _exists(folder, former["name"]):
                    os.rename(name, former["name"], src_dir_fd=folder, dst_dir_fd=folder)
                else:
                    _delete(folder, name)
            finally:
                os.close(descriptor)


def _open_leftover(folder: int, name: str) -> int:
    """Open for writing where that is allowed: NFS gives no exclusive lock of a file that is open for reading."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(name, os.O_RDWR | flags, dir_fd=folder)
    except (IsADirectoryError, PermissionError):  # a folder; a second name of a file that is only read
        return os.open(name, os.O_RDONLY | flags, dir_fd=folder)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _delete(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            with suppress(RecursionError):  # a thousand folders deep: no job of ours has made that
                shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def _exchange(parent: int, new: str, name: str) -> None:
    """Give a folder its name; what has the name gets the other one, in one step where the system can do that."""
    if not _exists(parent, name):
        os.rename(new, name, src_dir_fd=parent, dst_dir_fd=parent)
        return
    try:
        exchanged = ctypes.CDLL(None).renameat2(parent, os.fsencode(new), parent, os.fsencode(name), _EXCHANGE) == 0
    except AttributeError:  # not Linux
        exchanged = False
    if not exchanged:
        _exchange_in_two_steps(parent, new, name)


def _exchange_in_two_steps(parent: int, new: str, name: str) -> None:
    """Move the former folder away and give its name to the new one; ``sweep`` puts it back after a kill between."""
    former = f".{name}.{secrets.token_hex(8)}.tts-train-former"
    with ExitStack() as locked:
        with suppress(OSError):  # no folder, or a file system without locks
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
            locked.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.rename(name, former, src_dir_fd=parent, dst_dir_fd=parent)
        try:
            os.rename(new, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            os.rename(former, name, src_dir_fd=parent, dst_dir_fd=parent)
            raise
        _delete(parent, former)
