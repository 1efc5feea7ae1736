"""Owners and modes of what this program runs and obeys: its home, its environments, its files of keys. stdlib only.

Another user who may replace one of these could run programs as this one. The owners of the running code and of its
interpreter are trusted, and so are all who may write above these: they could replace the program itself.
"""

import contextlib
import functools
import grp
import os
import pwd
import shlex
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from jobs.errors import UserError
from jobs.files import reading

CODE = Path(__file__).resolve().parents[2]
MOST_LINKS = 40  # as the kernel follows
LARGEST_SECRET_BYTES = 64 * 1024
# Their members may act as root on common systems.
ADMINISTRATORS = frozenset({"root", "wheel", "admin", "sudo"})


def check(path: Path, cure: str) -> None:
    """Refuse a file or folder that another user could change or replace: by owner, mode, or a folder above it.

    Args:
        path: links are followed; where nothing is yet, the nearest folder above it counts.
        cure: what to do when it is refused.

    Raises:
        UserError: ``owner_untrusted``.
    """
    if fault := find_fault(path, is_trusted=_is_running):
        raise UserError("owner_untrusted", f"{fault}: others could run programs as you.", cure)


def find_fault(path: Path, *, is_trusted: Callable[[Path], bool] = lambda place: False) -> str:
    """Return which folder on the way to a path another user could change, and why; empty when there is none.

    Args:
        path: links are followed; where nothing is yet, the nearest folder above it counts.
        is_trusted: says which places are not looked at.
    """
    real = Path(os.path.realpath(path))
    for place in (real, *real.parents):
        if os.path.lexists(place) and not is_trusted(place) and (fault := _fault(place, is_above=place != real)):
            return f"{place} {fault}" + ("" if place == path else f", and {path} leads there")
    return ""


def check_entries(folder: Path, cure: str) -> None:
    """Refuse a folder in which another user has made or owns something; links are not followed.

    Raises:
        UserError: ``owner_untrusted``.
    """
    try:
        entries = list(folder.iterdir())
    except PermissionError:  # what uses it will say so
        return
    trusted = _trusted_owners()
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            owner = entry.lstat().st_uid
            if owner not in trusted:
                said = f"{entry} belongs to {_name_of(owner)}: others could run programs as you."
                raise UserError("owner_untrusted", said, cure)


def check_program(program: Path, cure: str) -> None:
    """Refuse a program that another user could change or replace, by any link on the way to it.

    Raises:
        UserError: ``owner_untrusted``.
    """
    for _ in range(MOST_LINKS):
        check(program.parent, cure)
        if not program.is_symlink():
            break
        program = program.parent / program.readlink()
    check(program, cure)


def check_environment(folder: Path) -> None:
    """Refuse a Python environment that another user could change.

    Raises:
        UserError: ``owner_untrusted``.
    """
    cure = "Set TTS_TRAIN_ENVS to a folder that only you can write, and make the environments with ./run.sh setup."
    for part in (folder, *folder.glob("lib/python3*/site-packages")):
        check(part, cure)
    check_program(folder / "bin" / "python", cure)


def tighten(path: Path) -> None:
    """Take all rights of others away from a file or folder of ours; one that is missing or not ours is left."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        if not stat.S_ISLNK(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(stat.S_IMODE(found.st_mode) & ~0o077)


def open_to_append(path: Path) -> BinaryIO:
    """Open a file that only its owner may read, made if it is missing, to append bytes; no link is followed."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "ab")


def read_secret(path: Path) -> str:
    """Read a small text that no other user can read or write.

    Raises:
        UserError: ``secret_exposed``, ``file_not_regular``, ``file_too_large``.
        OSError: it is missing or may not be read.
        UnicodeDecodeError: it is no text.
    """
    with reading.open_regular(path, limit_bytes=LARGEST_SECRET_BYTES) as stream:
        text, found = stream.read(LARGEST_SECRET_BYTES).decode(), os.fstat(stream.fileno())
    if found.st_uid not in _trusted_owners() or stat.S_IMODE(found.st_mode) & 0o077:
        who = f"mode {stat.S_IMODE(found.st_mode):04o}, owner {_name_of(found.st_uid)}"
        raise UserError(
            "secret_exposed",
            f"{path} can be read by other users ({who}).",
            f"Run chmod 600 {shlex.quote(str(path))}, and take a new key if the old one may be known.",
        )
    return text.strip()


def _fault(place: Path, *, is_above: bool) -> str:
    """Return why others could change what a place holds; empty when only trusted users can."""
    found = place.stat()
    if found.st_uid not in _trusted_owners() and not (is_above and found.st_uid == _unmapped_owner()):
        return "" if _is_read_only(place) else f"belongs to {_name_of(found.st_uid)}"
    if is_above and found.st_mode & stat.S_ISVTX:
        return ""  # like /tmp: an entry is renamed by its owner only
    if (others := _others(found, 0o002, 0o020) or _by_list(place, found)) and not _is_read_only(place):
        return f"can be written by {others} (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def _others(found: os.stat_result, of_all: int, of_group: int) -> str:
    """Return who else has a right: all users, or the group where it is not one trusted user's own."""
    if found.st_mode & of_all:
        return "all users"
    if found.st_mode & of_group and not _is_private(found.st_gid):
        return f"the group {_group_name(found.st_gid)}"
    return ""


def _by_list(place: Path, found: os.stat_result) -> str:
    """Return that an access list may name other writers; its mask is shown as the group's rights."""
    if not found.st_mode & 0o020 or not hasattr(os, "getxattr"):
        return ""
    with contextlib.suppress(OSError):
        return "those in its access list" if os.getxattr(place, "system.posix_acl_access") else ""
    return ""


@functools.cache
def _running() -> tuple[Path, ...]:
    """Return the code, the environment of the interpreter, and the interpreter itself."""
    return CODE, Path(sys.executable).parents[1], Path(os.path.realpath(sys.executable))


@functools.cache
def _places_of_running() -> frozenset[Path]:
    return frozenset(place for part in _running() for place in (part, *part.parents))


def _is_running(place: Path) -> bool:
    """Return True for what runs now and the folders above it."""
    return place in _places_of_running()


@functools.cache
def _trusted_owners() -> frozenset[int]:
    """Return this user, root, and the owners of what runs now."""
    return frozenset({os.geteuid(), 0, *(part.stat().st_uid for part in _running() if part.exists())})


def _is_private(group: int) -> bool:
    """Return True for a group of one trusted user, as many systems make for each (umask 002), or of administrators."""
    try:
        entry = grp.getgrgid(group)
    except KeyError:  # no account has it: a container's volume, a node that knows no accounts
        return True
    names = set(map(_name_of, _trusted_owners()))
    return entry.gr_name in ADMINISTRATORS or (entry.gr_name in names and set(entry.gr_mem) <= names)


def _is_read_only(place: Path) -> bool:
    """Return True where no user writes: a software tree that is mounted for reading."""
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)


def _unmapped_owner() -> int | None:
    """Return the number under which a user namespace shows all accounts that it does not know, root among them."""
    with contextlib.suppress(OSError, ValueError):
        unknown = int(Path("/proc/sys/kernel/overflowuid").read_text())
        ranges = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
        if not any(first <= unknown < first + count for first, _, count in ranges):
            return unknown
    return None


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"the user {user}"


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
