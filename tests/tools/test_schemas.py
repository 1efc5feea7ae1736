"""Every tool's face to the world: a change of a schema shows in review as a change of a snapshot.

``UPDATE_SNAPSHOTS=1 ./run.sh test tests/tools/test_schemas.py`` writes them anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jobs.errors import UserError
from tools._arguments import parse_arguments
from tools._registry import Tool, all_tools

SNAPSHOTS = Path(__file__).resolve().parent / "snapshots"
NAMES = list(all_tools())
STARTERS = [tool for tool in all_tools().values() if tool.kind is not None]


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_looks_as_it_did(name: str) -> None:
    tool = all_tools()[name]
    face = {
        "name": name,
        "title": tool.hints.title,
        "description": tool.description,
        "hints": {
            "read_only": tool.hints.read_only,
            "destructive": tool.hints.destructive,
            "idempotent": tool.hints.idempotent,
            "open_world": tool.hints.open_world,
        },
        "input_schema": tool.input_schema(),
        "output_schema": tool.output_schema(),
    }
    snapshot = SNAPSHOTS / f"{name}.json"

    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(json.dumps(face, indent=2, ensure_ascii=False) + "\n")

    assert json.loads(snapshot.read_text()) == face


def test_no_snapshot_is_left_of_a_tool_that_is_gone() -> None:
    assert sorted(path.stem for path in SNAPSHOTS.glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_tool_refuses_an_argument_that_it_does_not_know_and_names_the_nearest(name: str) -> None:
    tool = all_tools()[name]
    known = max(tool.args.model_fields, key=len)
    misspelt = known[:-1] + "q"

    with pytest.raises(UserError) as refusal:
        parse_arguments(tool.args, {misspelt: 1}, tool=name)

    assert refusal.value.code == "bad_arguments"
    assert f"unknown argument {misspelt!r}; did you mean {known!r}?" in refusal.value.message


@pytest.mark.parametrize("name", NAMES)
def test_every_tool_tells_the_agent_what_it_does_and_no_more_than_it_needs(name: str) -> None:
    tool = all_tools()[name]

    assert 80 <= len(tool.description) <= 900
    assert tool.summary.endswith(".")
    assert tool.input_schema()["additionalProperties"] is False
    assert "anyOf" not in json.dumps(tool.input_schema()["properties"])


@pytest.mark.parametrize("tool", STARTERS, ids=lambda tool: tool.name)
def test_a_tool_that_starts_a_job_takes_every_parameter_of_its_kind(tool: Tool) -> None:
    assert tool.kind is not None
    assert tool.args.model_fields.keys() >= tool.kind.params.model_fields.keys() | {"reuse", "dry_run"}
    assert tool.next
