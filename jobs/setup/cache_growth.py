"""Growth of uv's cache during an installation: packages and bytes, measured on the disk.

uv unpacks a package into a temporary folder of its cache and then renames it into ``archive-v<n>``, so a package
there is whole and is measured once.
"""

import contextlib
import os
from pathlib import Path

TEMPORARY = ".tmp"


def measure_bytes(folder: Path) -> int:
    """Measure what a folder's files take."""
    size, folders = 0, [str(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:  # replaced at this moment
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
    return size


class CacheGrowth:
    """Packages that came into a cache since a moment.

    Args:
        cache: uv's cache.
        since: seconds since the epoch; what an interrupted installation got after its beginning counts.
    """

    def __init__(self, cache: Path, since: float) -> None:
        self._cache, self._since = cache, since
        self._packages: dict[str, int] = {}

    @property
    def n_packages(self) -> int:
        """Number of whole packages at the last look."""
        return len(self._packages)

    def measure(self) -> int:
        """Look at the cache; return the bytes of new packages and of those that are arriving."""
        arriving = 0
        for folder in (self._cache, *self._cache.glob("archive-v*")):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        arriving += self._look_at(entry, is_archive=folder != self._cache)
        return sum(self._packages.values()) + arriving

    def _look_at(self, entry: "os.DirEntry[str]", *, is_archive: bool) -> int:
        """Record a whole package; return the bytes of one that is arriving."""
        if entry.path in self._packages or entry.stat(follow_symlinks=False).st_mtime < self._since:
            return 0
        if entry.name.startswith(TEMPORARY):
            if entry.is_dir(follow_symlinks=False):
                return measure_bytes(Path(entry.path))
            return entry.stat(follow_symlinks=False).st_size
        if is_archive and entry.is_dir(follow_symlinks=False):
            self._packages[entry.path] = measure_bytes(Path(entry.path))
        return 0
