"""What a person sees of ``./run.sh gc``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.runner.store.store import Store
from jobs.settings import Settings
from server.cli.gc import collect_garbage


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A home with one job that ended in 2001 and left a megabyte."""
    home = Home(tmp_path / "home")
    store = Store(home)
    row = {"id": "add-20010909-014640-0001", "kind": "add", "spec_hash": "", "document": '{"params": {}}',
           "resource": "cpu", "environment": "ml", "max_tries": 1, "created_at": 1e9, "state": "cancelled",
           "ended_at": 1e9}  # fmt: skip
    with store.transaction() as connection:
        store.insert(connection, row, None)
    folder = home.job(str(row["id"]))
    (folder / "out").mkdir(parents=True)
    (folder / "out" / "noise").write_bytes(bytes(range(256)) * 4000)
    return Runner(Settings(home=home.path, envs=tmp_path, roots=(tmp_path,)))


def test_without_yes_it_only_tells(runner: Runner) -> None:
    told = collect_garbage([], runner, "")

    assert "Would delete the files of 1 finished jobs, 1.0 MB" in told
    assert "add-20010909-014640-0001" in told
    assert "2001-09-09" in told
    assert json.loads(collect_garbage(["--json"], runner, ""))["deleted"] is False


def test_with_yes_it_deletes(runner: Runner) -> None:
    assert "Deleted the files of 1 finished jobs" in collect_garbage(["--yes"], runner, "")
    assert "0 finished jobs, 0.0 MB" in collect_garbage([], runner, "")


def test_sizes_and_ages_are_read_and_others_are_refused(runner: Runner) -> None:
    assert json.loads(collect_garbage(["--max-size", "2M", "--json"], runner, ""))["jobs"] == []
    assert len(json.loads(collect_garbage(["--max-size", "0.5M", "--json"], runner, ""))["jobs"]) == 1
    assert len(json.loads(collect_garbage(["--older-than", "8w", "--json"], runner, ""))["jobs"]) == 1
    with pytest.raises(UserError, match="is not a duration"):
        collect_garbage(["--older-than", "yesterday"], runner, "")
