"""Folders that are too wide to be allowed because a server happens to start there. stdlib only.

MCP clients often start their servers in ``/`` or in the person's home.
"""

import os
from pathlib import Path

# Of the system, with all that they contain.
_SYSTEM_TREES = ("/bin", "/boot", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/System", "/Library")
# Of the system: folders of many users or programs, which may hold folders of one person's work.
_SYSTEM_FOLDERS = frozenset(
    {"/Applications", "/Users", "/Volumes", "/dev", "/dev/shm", "/home", "/media", "/mnt", "/opt", "/private",
     "/private/tmp", "/private/var", "/root", "/run", "/srv", "/tmp", "/usr", "/usr/bin", "/usr/include", "/usr/lib",
     "/usr/lib64", "/usr/libexec", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/sbin", "/usr/share", "/var",
     "/var/lib", "/var/log", "/var/run", "/var/tmp"}
)  # fmt: skip


def is_too_wide(folder: Path) -> bool:
    """Return True for the whole disk, a system folder, the person's home, a folder above it, or its settings (``.x``).

    A root that is named explicitly is not asked for here.
    """
    person = Path(os.path.realpath(Path.home()))
    if person.is_relative_to(folder) or (folder.parent == person and folder.name.startswith(".")):
        return True
    return str(folder) in _SYSTEM_FOLDERS or any(folder.is_relative_to(tree) for tree in _SYSTEM_TREES)
