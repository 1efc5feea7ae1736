"""Packages and bytes that come into uv's cache."""

import os
from pathlib import Path

from jobs.setup.cache_growth import CacheGrowth, measure_bytes


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))


def test_whole_packages_and_arriving_ones_count_and_older_ones_do_not(tmp_path: Path) -> None:
    write(tmp_path / "archive-v0" / "old" / "a", 100)
    os.utime(tmp_path / "archive-v0" / "old", (1000, 1000))
    write(tmp_path / "archive-v0" / "new" / "deep" / "a", 20)
    write(tmp_path / "archive-v0" / "new" / "b", 3)
    write(tmp_path / ".tmpAbc" / "part", 400)
    write(tmp_path / "wheels-v8" / "pointer", 5000)
    growth = CacheGrowth(tmp_path, since=2000)

    first, n_first = growth.measure(), growth.n_packages
    (tmp_path / ".tmpAbc").rename(tmp_path / "archive-v0" / "third")
    second = growth.measure()

    assert (first, n_first) == (423, 1)
    assert (second, growth.n_packages) == (423, 2)


def test_a_cache_that_is_not_there_has_not_grown(tmp_path: Path) -> None:
    assert CacheGrowth(tmp_path / "none", since=0).measure() == 0
    assert measure_bytes(tmp_path / "none") == 0


def test_links_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "file", 1000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")

    assert measure_bytes(folder) < 1000
