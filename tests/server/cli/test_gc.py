"""Output and effect of ``./run.sh gc``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings
from server.cli.gc import gc_command


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
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
    return Settings(home=home.path, envs=tmp_path, roots=(tmp_path,))


def test_without_yes_nothing_is_deleted(settings: Settings) -> None:
    shown = gc_command([], settings, "")

    assert "Would delete the files of 1 finished jobs, 1.0 MB" in shown
    assert "add-20010909-014640-0001" in shown
    assert "2001-09-09" in shown
    assert json.loads(gc_command(["--json"], settings, ""))["deleted"] is False


def test_with_yes_it_deletes(settings: Settings) -> None:
    assert "Deleted the files of 1 finished jobs" in gc_command(["--yes"], settings, "")
    assert "0 finished jobs, 0 B" in gc_command([], settings, "")


def test_voices_datasets_and_kept_exports_are_never_deleted(settings: Settings) -> None:
    out = settings.home / "jobs" / "add-20010909-014640-0001" / "out"
    weights = [
        *("voice/model.safetensors", "exports/step-000002/model.safetensors", "adapter/adapter_model.safetensors"),
        *("voice/config.json", "exports/step-000002/config.json", "adapter/adapter_config.json"),
    ]
    dataset = ["data/train_manifest.jsonl", "data/clips/a.wav"]
    states = ["checkpoints/step-000002/model.safetensors", "checkpoints/step-000002/config.json"]
    for name in (*weights, *dataset, *states):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"0" * 5000)

    shown = gc_command([], settings, "")
    deleted = gc_command(["--yes"], settings, "")

    assert f"stay:\n  {out}/" in shown
    assert "Would delete the files of 1 finished jobs, 1.0 MB" in shown
    assert f"  {out}/voice\n" in deleted
    assert all((out / name).is_file() for name in (*weights, *dataset))
    assert not any((out / name).exists() for name in (*states, "noise"))


def test_at_a_terminal_it_asks(settings: Settings) -> None:
    noise = settings.home / "jobs" / "add-20010909-014640-0001" / "out" / "noise"
    asked: list[str] = []

    kept = gc_command([], settings, "", ask=lambda question: bool(asked.append(question)))
    assert noise.is_file()
    assert kept.endswith("are never touched.\n")
    deleted = gc_command([], settings, "", ask=lambda _: True)

    assert "add-20010909-014640-0001" in asked[0]
    assert not noise.exists()
    assert deleted == "Deleted the files of 1 finished jobs, 1.0 MB; 0 B stay.\n"


def test_sizes_and_ages_are_read_and_others_are_refused(settings: Settings) -> None:
    assert json.loads(gc_command(["--max-size", "2M", "--json"], settings, ""))["jobs"] == []
    assert len(json.loads(gc_command(["--max-size", "0.5M", "--json"], settings, ""))["jobs"]) == 1
    assert len(json.loads(gc_command(["--older-than", "8w", "--json"], settings, ""))["jobs"]) == 1
    with pytest.raises(UserError, match="is not a duration"):
        gc_command(["--older-than", "yesterday"], settings, "")
