"""What must hold before a job is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.machine import preflight

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / {folder} rw,relatime shared:2 - {file_system} server:/export rw
"""


@pytest.mark.parametrize("file_system", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_home_on_a_network_file_system_is_refused_with_the_reason(tmp_path: Path, file_system: str) -> None:
    home = tmp_path / "shared" / "home"

    with pytest.raises(UserError) as refused:
        preflight.check_local(home, MOUNTS.format(folder=tmp_path, file_system=file_system))

    assert refused.value.code == "home_on_network"
    assert file_system in refused.value.message


@pytest.mark.parametrize("file_system", ["ext4", "tmpfs", "overlay"])
def test_a_home_on_a_local_disk_is_fine(tmp_path: Path, file_system: str) -> None:
    preflight.check_local(tmp_path, MOUNTS.format(folder=tmp_path, file_system=file_system))


def test_a_network_mount_elsewhere_does_not_matter(tmp_path: Path) -> None:
    preflight.check_local(tmp_path, MOUNTS.format(folder="/mnt/archive", file_system="nfs4"))


def test_a_mount_point_with_a_space_is_understood(tmp_path: Path) -> None:
    home = tmp_path / "my disk"
    home.mkdir()

    with pytest.raises(UserError, match="network"):
        preflight.check_local(home, MOUNTS.format(folder=f"{tmp_path}/my\\040disk", file_system="nfs"))


MEMINFO = "MemTotal:       16000000 kB\nMemFree:         100000 kB\nMemAvailable:    4000000 kB\n"


def test_memory_is_that_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)

    memory = preflight.memory_of_machine(tmp_path, tmp_path / "no cgroup")

    assert memory == preflight.Memory(total_mb=16384.0, available_mb=4096.0)


def test_memory_is_that_of_the_container_where_it_has_less(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory.max").write_text("2000000000\n")
    (tmp_path / "memory.current").write_text("500000000\n")

    memory = preflight.memory_of_machine(tmp_path, tmp_path)

    assert memory == preflight.Memory(total_mb=2000.0, available_mb=1500.0)


def test_a_container_without_a_limit_has_the_machines_memory(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory.max").write_text("max\n")

    memory = preflight.memory_of_machine(tmp_path, tmp_path)

    assert memory is not None
    assert memory.total_mb == 16384.0


def test_where_nothing_tells_of_memory_nothing_is_refused(tmp_path: Path) -> None:
    assert preflight.memory_of_machine(tmp_path, tmp_path) is None
