"""File system of a few MB, to fill."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="mounting a file system needs Linux and root"
)


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """Mount a new file system at ``folder``, which is made if it is missing; ``size`` as tmpfs takes it: ``3m``."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change options of a mounted file system: its ``size``, or ``ro``."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
