"""What must hold before a job is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner import preflight

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
