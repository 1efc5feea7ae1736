"""Landlock of Linux: the kernel refuses this process, and all that it starts, writes outside of some folders.

It cannot be undone. Reading and running programs stay as they are; a file that is open already stays writable. It holds
for the calling thread and those that it starts. stdlib only.

Source: landlock(7). Why by our own code: docs/decisions/0003-landlock.md.
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

# Version 1 (Linux 5.13) refuses every rename and hard link from one folder to another.
FIRST_VERSION = 2  # Linux 5.19

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture but alpha
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVS = 38  # linux/prctl.h
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))  # folders, files, devices, sockets, pipes, links


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """Return the kernel's version of Landlock; 0 where it has none that is of use here."""
    if sys.platform != "linux":
        return 0
    found = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    return int(found) if found >= FIRST_VERSION else 0


def restrict_writes(allowed: Iterable[Path]) -> None:
    """Refuse this process every write outside of ``allowed`` from now on.

    Args:
        allowed: folders, with all below them, and files. What is missing is passed over; links are followed now.

    Raises:
        OSError: the kernel has no Landlock (see ``version``), or refused.
    """
    on_file = _WRITE_FILE | (_TRUNCATE if version() > FIRST_VERSION else 0)
    on_folder = on_file | _REMOVE_AND_MAKE | _REFER
    wanted = _Ruleset(on_folder)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(ctypes.sizeof(wanted)), ctypes.c_uint32(0))
    try:
        for path in allowed:
            _allow(ruleset, path, on_file, on_folder)
        if _libc().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:  # else a setuid program would be bound by it, too
            raise _error()
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, on_file: int, on_folder: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        rule = _PathBeneath(on_folder if is_folder else on_file, descriptor)
        _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    answer = _libc().syscall(ctypes.c_long(number), *arguments)
    if answer < 0:
        raise _error()
    return int(answer)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"Landlock: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
