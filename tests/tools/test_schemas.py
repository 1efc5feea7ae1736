"""Every tool's face to the world: a change of a schema shows in review as a change of a snapshot.

``UPDATE_SNAPSHOTS=1 ./run.sh test tests/tools/test_schemas.py`` writes them anew.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from mcp import Client

from jobs.errors import UserError
from jobs.runner.job_kind import all_kinds
from jobs.settings import PROJECT_ROOT
from server.cli.docs import pages
from server.mcp.server import build
from tools.core.registry import Tool, all_tools
from tools.core.tool_types import StartArgs, ToolContext
from tools.docs.help import explain_tool, help_text
from tools.docs.schema import input_schema, listed
from tools.inputs.arguments import parse_arguments

SNAPSHOTS = Path(__file__).resolve().parent / "snapshots"
NAMES = list(all_tools())
pytestmark = pytest.mark.anyio
STARTERS = [tool for tool in all_tools().values() if tool.kind is not None]


LARGEST_LISTING_BYTES = 26_000


def wire(value: object) -> str:
    """JSON as the wire has it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_looks_as_it_did(name: str) -> None:
    tool = all_tools()[name]
    face = {"listed": listed(tool), "answer": tool.result.model_json_schema(mode="validation")}
    snapshot = SNAPSHOTS / f"{name}.json"

    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(json.dumps(face, indent=2, ensure_ascii=False) + "\n")

    assert json.loads(snapshot.read_text()) == face


async def test_what_a_server_lists_is_what_the_snapshots_show(context: ToolContext) -> None:
    async with Client(build(context.settings)) as client:
        answer = await client.list_tools()

    shown = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in answer.tools]
    assert shown == [json.loads((SNAPSHOTS / f"{name}.json").read_text())["listed"] for name in NAMES]


def test_all_tools_together_are_listed_in_26_kb() -> None:
    sizes = {name: len(wire(listed(tool)).encode()) for name, tool in all_tools().items()}

    total = len(wire({"tools": [listed(tool) for tool in all_tools().values()]}).encode())
    sys.stdout.write("".join(f"{name:24}{size:7}\n" for name, size in (*sizes.items(), ("tools/list", total))))
    assert total <= LARGEST_LISTING_BYTES, sizes


def test_every_tool_that_can_replace_something_says_so() -> None:
    replacing = {kind.tool_name for kind in all_kinds().values() if kind.makes}

    assert len(replacing) == 13
    assert {
        name: listed(all_tools()[name])["annotations"].get("destructiveHint") for name in replacing
    } == dict.fromkeys(replacing, True)


def test_every_parameter_is_listed_and_explained() -> None:
    for name, tool in all_tools().items():
        shown = wire(listed(tool)["inputSchema"])
        shared = StartArgs.model_fields if issubclass(tool.args, StartArgs) else {}
        told = help_text(tool)
        assert [field for field in tool.args.model_fields if field not in shown and field not in shared] == [], name
        assert [field for field in tool.args.model_fields if f"- {field}" not in told] == [], name
        assert len(told) <= 8000, name


def test_what_all_start_tools_share_is_told_by_list_jobs() -> None:
    told = all_tools()["list_jobs"].description

    assert [name for name in StartArgs.model_fields if name not in told] == []


def test_the_help_of_one_parameter_is_found_by_a_word() -> None:
    lines = explain_tool("start_training warmup").splitlines()

    assert [line for line in lines if line.startswith("- ")] == [
        "- warmup_steps int>=0: Linear warm-up, optimiser steps. Default: 50, but at most a tenth of the run."
    ]


@pytest.mark.parametrize("page", sorted(pages()))
def test_a_generated_page_is_as_the_tools_are(page: str) -> None:
    """``./run.sh docs`` writes them, and so does an update of the snapshots."""
    path = PROJECT_ROOT / page

    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(pages()[page], encoding="utf-8")

    assert path.read_text(encoding="utf-8") == pages()[page], "run ./run.sh docs"


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
    schema = input_schema(tool)
    assert schema["additionalProperties"] is False
    assert not {"anyOf", "oneOf", "allOf", "$ref", "$defs"} & set(re.findall(r'"([^"]+)":', wire(schema)))


@pytest.mark.parametrize("tool", STARTERS, ids=lambda tool: tool.name)
def test_a_tool_that_starts_a_job_takes_every_parameter_of_its_kind(tool: Tool) -> None:
    assert tool.kind is not None
    assert tool.args.model_fields.keys() >= tool.kind.params.model_fields.keys() | {"reuse", "dry_run"}
    assert tool.hints.next


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_a_call_that_the_tool_takes(name: str) -> None:
    tool = all_tools()[name]

    for example in tool.hints.examples:
        parse_arguments(tool.args, example.arguments, tool=name)
    assert tool.hints.examples or tool.kind is None
