"""What another user could change is refused, and what honest machines look like is not."""

from __future__ import annotations

import grp
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.trust import owners

OTHER_USER, OTHER_GROUP = 12345, 12346
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def refusal_of(call: Callable[[], object]) -> UserError:
    """The error that is raised."""
    with pytest.raises(UserError) as refused:
        call()
    return refused.value


@as_root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, OTHER_USER, OTHER_GROUP)
    tmp_path.chmod(0o700)

    refused = refusal_of(lambda: owners.check(tmp_path, "Move it."))

    assert refused.code == "owner_untrusted"
    assert f"{tmp_path} belongs to the user {OTHER_USER}" in refused.message
    assert refused.hint == "Move it."


@as_root
@pytest.mark.parametrize("below", ["mine", "mine/not/there/yet"])
def test_a_folder_below_one_of_another_user_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    os.chown(tmp_path, OTHER_USER, OTHER_GROUP)

    refused = refusal_of(lambda: owners.check(tmp_path / below, ""))

    assert refused.message.startswith(f"{tmp_path} belongs to")
    assert str(tmp_path / below) in refused.message


@pytest.mark.parametrize("mode", [0o702, 0o777, 0o1777])
def test_a_folder_that_anybody_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)

    assert "can be written by all users" in refusal_of(lambda: owners.check(tmp_path, "")).message


@as_root
def test_a_folder_that_a_group_can_write_is_refused(tmp_path: Path) -> None:
    group = next(entry for entry in grp.getgrall() if entry.gr_gid and entry.gr_name not in owners.ADMINISTRATORS)
    os.chown(tmp_path, -1, group.gr_gid)
    tmp_path.chmod(0o770)

    refused = refusal_of(lambda: owners.check(tmp_path, ""))

    assert f"can be written by the group {group.gr_name} (mode 0770)" in refused.message
    tmp_path.chmod(0o750)
    owners.check(tmp_path, "")


def test_the_folders_above_count_unless_they_are_sticky_like_tmp(tmp_path: Path) -> None:
    home = tmp_path / "above" / "home"
    home.mkdir(parents=True)

    home.parent.chmod(0o1777)
    owners.check(home, "")
    home.parent.chmod(0o777)

    assert str(home.parent) in refusal_of(lambda: owners.check(home, "")).message


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "shared" / "jobs").mkdir(parents=True)
    (tmp_path / "shared").chmod(0o777)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "jobs").symlink_to(tmp_path / "shared" / "jobs")

    refused = refusal_of(lambda: owners.check(tmp_path / "home" / "jobs", ""))

    assert f"{tmp_path / 'shared'} can be written by all users" in refused.message


@as_root
@pytest.mark.parametrize("group", [0, OTHER_GROUP])
def test_a_group_of_one_trusted_user_or_of_no_account_is_no_other(tmp_path: Path, group: int) -> None:
    os.chown(tmp_path, 0, group)  # that of root has no other member
    tmp_path.chmod(0o775)

    owners.check(tmp_path, "")


def test_what_runs_already_is_trusted_with_the_folders_above_it() -> None:
    owners.check(owners.CODE, "")
    owners.check(Path(sys.executable).parents[1], "")


@as_root
def test_a_program_is_judged_by_every_link_on_the_way(tmp_path: Path) -> None:
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    for folder in (theirs, mine):
        folder.mkdir()
    (theirs / "python").symlink_to(sys.executable)
    (mine / "python").symlink_to(theirs / "python")
    owners.check_program(mine / "python", "")

    os.chown(theirs, OTHER_USER, OTHER_GROUP)

    assert str(theirs) in refusal_of(lambda: owners.check_program(mine / "python", "")).message


@as_root
def test_a_file_of_another_user_in_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").touch()
    owners.check_entries(tmp_path, "")
    os.chown(tmp_path / "jobs.db", OTHER_USER, OTHER_GROUP)

    assert str(tmp_path / "jobs.db") in refusal_of(lambda: owners.check_entries(tmp_path, "")).message


def test_tightening_takes_others_rights_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "log").touch(mode=0o644)
    (tmp_path / "other").touch(mode=0o644)
    (tmp_path / "link").symlink_to("other")

    for name in ("log", "link", "missing"):
        owners.tighten(tmp_path / name)

    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o644


def test_a_log_is_made_for_its_owner_and_not_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("profile")

    with owners.open_to_append(tmp_path / "log") as stream:
        stream.write(b"a line\n")

    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OSError, match="symbolic"):
        owners.open_to_append(tmp_path / "link")
    assert not (tmp_path / "profile").exists()


@pytest.mark.parametrize("mode", [0o604, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "brave.key"
    key.write_text("the-key\n")
    key.chmod(mode)

    refused = refusal_of(lambda: owners.read_secret(key))

    assert refused.code == "secret_exposed"
    assert f"chmod 600 {key}" in refused.hint
    assert "the-key" not in str(refused)
    key.chmod(0o600)
    assert owners.read_secret(key) == "the-key"


def test_a_pipe_in_the_place_of_a_key_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "brave.key", 0o600)

    assert refusal_of(lambda: owners.read_secret(tmp_path / "brave.key")).code == "file_not_regular"
