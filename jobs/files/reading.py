"""Reading of files that anybody may have made: regular files only, of bounded size, inside the folder they belong to.

A pipe would be waited for without end, a device may answer without end, and a file of gigabytes would fill the memory.
stdlib only.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from jobs.errors import UserError

LONGEST_LINE_BYTES = 2_000_000
"""Of JSONL: the codes of a clip of 60 s are 80 KB."""

LONGEST_PATH = 4096
"""Characters; PATH_MAX of Linux."""

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def check_regular(path: Path) -> os.stat_result:
    """Refuse what is no regular file, for libraries that open by name; links are followed.

    Raises:
        UserError: ``file_not_regular``.
        OSError: it is missing or cannot be reached.
    """
    found = path.stat()
    _refuse_others(path, found)
    return found


def refuse_special(path: Path) -> None:
    """Refuse a pipe, a socket or a device; a file, a folder and what is missing pass. Links are followed.

    Raises:
        UserError: ``file_not_regular``.
    """
    try:
        found = path.stat()
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode):
        _refuse_others(path, found)


@contextmanager
def open_regular(path: Path, *, limit_bytes: int | None = None) -> Iterator[BufferedReader]:
    """Open a regular file for reading, without ever waiting for another process.

    Raises:
        UserError: ``file_not_regular``, ``file_too_large``.
        OSError: it is missing or may not be read.
    """
    check_regular(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)  # again: the name may mean another file by now
        _refuse_others(path, found)
        if limit_bytes is not None and found.st_size > limit_bytes:
            raise _too_large(path, found.st_size, limit_bytes)
        yield stream


def read_bytes(path: Path, limit_bytes: int) -> bytes:
    """Read a whole file of at most ``limit_bytes``.

    Raises:
        UserError: ``file_not_regular``, ``file_too_large``.
        OSError: it is missing or may not be read.
    """
    with open_regular(path, limit_bytes=limit_bytes) as stream:
        content = stream.read(limit_bytes + 1)  # it may have grown
    if len(content) > limit_bytes:
        raise _too_large(path, len(content), limit_bytes)
    return content


def read_lines(path: Path, longest_bytes: int = LONGEST_LINE_BYTES) -> Iterator[bytes]:
    """Read a file line by line, each with its line end; one longer than ``longest_bytes`` is never held whole.

    Raises:
        UserError: ``file_not_regular``, ``line_too_long``.
        OSError: it is missing or may not be read.
    """
    with open_regular(path) as stream:
        number = 0
        while line := stream.readline(longest_bytes + 1):
            number += 1
            if len(line) > longest_bytes:
                raise UserError(
                    "line_too_long",
                    f"{path}, line {number} is longer than {longest_bytes:,} bytes.",
                    "Check that this is the right file; a line holds one entry.",
                )
            yield line


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a regular file's bytes.

    Raises:
        UserError: ``file_not_regular``.
        OSError: it is missing or may not be read.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def resolve_inside(folder: Path, name: str) -> Path | None:
    """Return the real path of ``name`` in a folder; None when it leads out of the folder's root, also by a link.

    Where ``folder`` lies is the caller's to check. Nothing is opened. In a Hugging Face cache the path has neither the
    folder nor the suffix of its name.
    """
    if "\0" in name or len(name) > LONGEST_PATH:  # the time of resolving grows with the square of the length
        return None
    path = Path(os.path.realpath(Path(os.path.realpath(folder), name)))  # not Path.resolve: it raises on loops of links
    return path if path.is_relative_to(find_root(folder)) else None


def find_root(folder: Path) -> Path:
    """Return the real folder that the files of a folder must lie in: itself, in a Hugging Face cache its repository.

    The files of a snapshot, ``models--ORG--NAME/snapshots/REVISION``, are links to the ``blobs`` of the repository.
    Source: guide of huggingface_hub to its cache.
    """
    real = Path(os.path.realpath(folder))
    for revision in (real, *real.parents):
        repository = revision.parent.parent
        if revision.parent.name == "snapshots" and repository.name.startswith(("models--", "datasets--")):
            return repository
    return real


def _refuse_others(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
        raise UserError("file_not_regular", f"{path} is {kind}, not a file.", "Give the path of a regular file.")


def _too_large(path: Path, size: int, limit: int) -> UserError:
    return UserError(
        "file_too_large",
        f"{path} has {size:,} bytes; at most {limit:,} are read.",
        "Check that this is the right file.",
    )
