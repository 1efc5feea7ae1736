"""Archives in the layout of ``torch.save`` that torch would not write."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path


def shorten_storages(source: Path, target: Path, n_bytes: int, which: Callable[[int], bool] = lambda n: True) -> None:
    """Copy an archive; its storages of chosen numbers get ``n_bytes``, cut off or filled with zeros."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            content = old.read(name)
            if "/data/" in name and which(int(name.rpartition("/")[2])):
                content = content[:n_bytes].ljust(n_bytes, b"\0")
            new.writestr(name, content)


def save_with_list(path: Path, content: bytes) -> None:
    """Write an archive with a list of tensors as given, and one storage of four float32."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/data/0", bytes(16))
        archive.writestr("archive/version", b"3\n")
