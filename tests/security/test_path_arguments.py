"""Every path argument of every tool, given every hostile kind of path: an answer in time, and nothing else.

The table is made from the registry of tools, so a new tool or argument is in it at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from jobs.param_types import ModelMark, PathMark, find_mark
from tests.support.call_fuzzer import World, make_world
from tests.support.hostile import books, manifests, recordings, segments
from tests.support.hostile.datasets import foreign_datasets
from tools.core.registry import all_tools

# Honest values of required arguments, by name; a new name is refused by test_every_tool_can_be_called.
HONEST: dict[str, Any] = {
    "audio": "book.wav", "voice": "anna", "transcripts": "clips.jsonl", "manifest": "coded.jsonl",
    "takes": "takes.jsonl", "model": "toy", "text": "book.txt", "texts": ["A line."],
    "ranges": [{"name": "lr", "low": 1e-6, "high": 1e-3}],
    "job_id": "training-20260101-000000-abcd", "handle": "artifact://training-20260101-000000-abcd/voice",
    "artifact": "artifact://training-20260101-000000-abcd/voice", "action": "list", "question": "LoRA or full?",
    "voices": ["toy"],
}  # fmt: skip
GENERIC: dict[str, Callable[[Path], Path | str]] = {
    "pipe": lambda folder: folder / "pipe",
    "socket": lambda folder: folder / "socket",
    "device": lambda folder: "/dev/zero",
    "own input": lambda folder: "/dev/stdin",
    "folder": lambda folder: folder / "clips",
    "loop of links": lambda folder: folder / "loop",
    "link out of the roots": lambda folder: folder / "outside" / "passwd",
    "path out of the roots": lambda folder: "../" * 40 + "etc/passwd",
    "address": lambda folder: "file:///etc/passwd",
    "command": lambda folder: "|touch x",
    "missing": lambda folder: folder / "none",
    "missing folder": lambda folder: folder / "none" / "x",
    "inside a file": lambda folder: folder / "book.txt" / "x",
    "long name": lambda folder: "a" * 5000,
    "long path": lambda folder: "a/" * 3000,
    "null byte": lambda folder: "a\0b",
    "half a surrogate": lambda folder: "a\ud800",
    "escape": lambda folder: "\x1b[2J\u202e",
    "empty file": lambda folder: _written(folder / "empty.jsonl", b""),
    "noise": lambda folder: _written(folder / "noise.jsonl", bytes(range(256)) * 64),
    "deep JSON": lambda folder: _written(folder / "deep.jsonl", b'{"a":' * 100_000),
    "hole of 3 GB": lambda folder: _sparse(folder / "hole.jsonl"),
    "home's store": lambda folder: folder.parent / "home" / "jobs.db",
    "home's configuration": lambda folder: folder.parent / "home" / "config.toml",
    "source": lambda folder: Path(__file__).resolve().parents[2] / "run.sh",
}
# Built files, for the arguments that read such.
BUILT: dict[str, dict[str, Callable[[Path], Path]]] = {
    "audio": recordings.BUILDERS,
    "text": books.BUILDERS,
    "segments_jsonl": segments.BUILDERS,
    "manifest": manifests.BUILDERS,
    "transcripts": foreign_datasets.BUILDERS,
}


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _sparse(path: Path) -> Path:
    with path.open("wb") as stream:
        stream.truncate(3_000_000_000)
    return path


def path_arguments() -> Iterator[tuple[str, str, PathMark | ModelMark]]:
    """Every argument of a tool that names a path or a model."""
    for name, tool in all_tools().items():
        for argument, field in tool.args.model_fields.items():
            mark = find_mark(field)
            if mark is not None:
                yield name, argument, mark


TABLE = sorted({(tool, argument) for tool, argument, _ in path_arguments()})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A folder with an honest file for every required argument, and hostile ones."""
    with start_blocking_portal() as portal:
        made = make_world(tmp_path, portal)
        clip = {
            "audio": "clips/a.wav",
            "text": "A line.",
            "duration_s": 2.0,
            "words": [],
            "audio_codes": [[1] * 16] * 25,
        }
        (made.work / "coded.jsonl").write_text(json.dumps(clip) + "\n")
        (made.work / "clips.jsonl").write_text(json.dumps({"audio_file": "book.wav", "text": "A line."}) + "\n")
        (tmp_path / "home").mkdir(exist_ok=True)
        (tmp_path / "home" / "config.toml").write_text("")
        yield made


def honest(tool: str) -> dict[str, Any]:
    """Arguments of a call that nothing speaks against."""
    fields = all_tools()[tool].args.model_fields
    given = {name: HONEST[name] for name, field in fields.items() if field.is_required()}
    return (
        given | ({"dry_run": True} if "dry_run" in fields else {}) | ({"offline": True} if "offline" in fields else {})
    )


@pytest.mark.parametrize("tool", sorted(all_tools()))
def test_every_tool_can_be_called(world: World, tool: str) -> None:
    """Otherwise the table would show what happens to a call that is refused for another reason."""
    world.call(tool, honest(tool))

    assert "bad_arguments" not in world.codes


@pytest.mark.parametrize(("tool", "argument"), TABLE)
def test_no_hostile_path_is_opened_waited_for_or_written(world: World, tool: str, argument: str) -> None:
    field = all_tools()[tool].args.model_fields[argument]
    is_list = "list" in str(field.annotation)
    built = world.work / "built"
    files = BUILT.get(argument, {}) if tool != "make_voice" else {}  # it passes them on
    kinds = GENERIC | {f"built: {name}": build for name, build in files.items()}
    values = {}
    for number, (kind, build) in enumerate(kinds.items()):
        (built / str(number)).mkdir(parents=True)
        values[kind] = str(build(world.work if kind in GENERIC else built / str(number)))
    before = world.state

    for value in values.values():
        world.call(tool, honest(tool) | {argument: [value] if is_list else value})

    assert world.state == before
    assert (world.work / "outside").readlink() == Path("/etc")


def test_the_table_names_every_tool_that_takes_a_path() -> None:
    assert {tool for tool, _ in TABLE} >= {
        "ingest_audiobook", "ingest_clips", "align", "convert_codes", "start_training", "synthesize", "rate_samples",
        "tune_hparams", "refine_voice", "make_voice",
    }  # fmt: skip
