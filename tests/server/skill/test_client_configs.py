"""Writing of a client's configuration: links, modes and privacy of what is not ours."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from server.skill.client_configs import MOST_BYTES, ServerEntry, add_entry, remove_entry, write_change

ENTRY = ServerEntry("/project/run.sh")


@pytest.fixture
def _open_umask() -> Iterator[None]:
    """New files are readable by all unless the code says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("bad", ["pipe", "deep", "large"])
def test_a_configuration_of_a_stranger_is_refused_at_once(tmp_path: Path, bad: str) -> None:
    config = tmp_path / "client.json"
    if bad == "pipe":
        os.mkfifo(config)
    elif bad == "deep":
        config.write_text("[" * 200_000)
    else:
        with config.open("wb") as out:
            out.truncate(MOST_BYTES + 1)

    with pytest.raises(UserError) as refused:
        add_entry(config, ENTRY)

    assert refused.value.code == "config_unreadable"


@pytest.mark.parametrize("name", ["client.json", "client.toml"])
def test_a_configuration_that_is_a_link_stays_one_and_gets_its_content_back(tmp_path: Path, name: str) -> None:
    real, link = tmp_path / "dotfiles" / name, tmp_path / name
    real.parent.mkdir()
    real.write_text("")
    link.symlink_to(real)

    write_change(add_entry(link, ENTRY), dry_run=False)

    assert link.is_symlink()
    assert ENTRY.command in real.read_text()
    write_change(remove_entry(link), dry_run=False)
    assert link.is_symlink()
    assert real.read_text() == ""
    assert [path.name for path in real.parent.iterdir()] == [name]


@pytest.mark.usefixtures("_open_umask")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_configuration_keeps_its_mode_and_others_never_read_an_unfinished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    config, foreign = tmp_path / "client.json", tmp_path / "client.json.tmp"
    config.write_text('{"token": "secret"}')
    config.chmod(mode)
    foreign.write_text("of another program")
    seen: list[int] = []
    fdopen = os.fdopen

    def watch(descriptor: int, mode: str) -> Any:
        if "w" in mode or "+" in mode:
            seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return fdopen(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", watch)
    write_change(add_entry(config, ENTRY), dry_run=False)

    assert seen == [0o600, 0o600]  # of the backup and of the configuration
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir() if path != foreign} == {mode}
    assert foreign.read_text() == "of another program"
