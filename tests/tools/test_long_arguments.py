"""Long, deep and odd arguments: every string of every tool, without a list of tools or fields.

A new tool is covered because the cases are made from the registry.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest

from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.mcp.calls import as_result, call_tool
from tools.core.registry import Tool, all_tools
from tools.core.tool_types import ToolContext
from tools.inputs.bounds import LONGEST_STRING

pytestmark = pytest.mark.anyio
LONGEST_CALL_S, LONGEST_GAP_S = 1.0, 0.5
LONG = 200_000
# Fills for a string: what regular expressions, comparisons, paths, dates and JSON take long for, or stumble over.
FILLS = (
    "a",
    "a-",
    "9",
    "9.",
    " ",
    "a\n",
    "[",
    "(",
    "*",
    '{"a":',
    "../",
    "/",
    "eyJaaaaaaaa-",
    "token ",
    "1,",
    "-",
    "\u00e9",
    "1w",
)


def filled(fill: str, length: int) -> str:
    """Repeat a text up to a length."""
    return (fill * (length // len(fill) + 1))[:length]


def strings_in(tool: Tool, text: str) -> Iterator[tuple[str, Any]]:
    """Every argument that may hold a string, with this text at each place of it."""
    whole = tool.args.model_json_schema()
    for name, field in whole["properties"].items():
        for value in _values(field, whole.get("$defs", {}), text):
            yield name, value


def _values(schema: dict[str, Any], definitions: dict[str, Any], text: str) -> Iterator[Any]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    for option in schema.get("anyOf", []):
        yield from _values(option, definitions, text)
    match schema.get("type"):
        case "string":
            yield text
        case "array":
            yield from ([value] for value in _values(schema.get("items", {}), definitions, text))
        case "object" if "properties" in schema:
            for name, part in schema["properties"].items():
                yield from ({name: value} for value in _values(part, definitions, text))
        case "object":
            yield from ({"lr": text}, {text: 1})
        case None if not schema.get("anyOf") and "enum" not in schema:
            yield text


def whole_call(tool: Tool, name: str, value: Any) -> dict[str, Any]:
    """A call with this argument in which all others are what the tool needs, and that starts nothing."""
    needed = {part: "horus" for part, field in tool.args.model_fields.items() if field.is_required()}
    harmless = {"dry_run": True, "offline": True, "handle": "artifact://align-20260101-000000-abcd/x"}
    known = needed | {part: given for part, given in harmless.items() if part in tool.args.model_fields}
    if tool.name == "schedule_job":
        known |= {"action": "create", "name": "nightly", "tool": "align", "arguments": {"manifest": "horus"}}
        known |= {"cron": "0 3 * * *"} if name != "every" else {}
    fitting = {"texts": ["One."], "model": "toy", "audio": "book.txt"}
    return known | {part: given for part, given in fitting.items() if part in needed} | {name: value}


@pytest.fixture
def nowhere(tmp_path: Path) -> ToolContext:
    """A home in which nothing can start, for there is no environment."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "book.txt").write_text("A line.")
    dataset = work / "datasets" / "horus"
    dataset.mkdir(parents=True)
    word = {"word": "A", "start_s": 0.0, "end_s": 0.5, "score": 0.9}
    line = {"audio": "a.wav", "text": "A line.", "duration_s": 2.0, "words": [word], "ref_audio": "a.wav"}
    for name in ("train_manifest.jsonl", "train_aligned.jsonl", "train_manifest_qwen3.jsonl", "takes.jsonl"):
        (dataset / name).write_text(json.dumps(line | {"audio_codes": [[0] * 16] * 25}) + "\n")
    (work / "horus").symlink_to(dataset)
    here = Settings(home=tmp_path / "home", envs=tmp_path / "none", roots=(work, tmp_path / "home"))
    return ToolContext(here, Runner(here))


class Watch:
    """Longest time in which the event loop answered nobody else, in seconds of the processor: others use it too."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def run(self) -> None:
        """Look at the clock whenever the loop lets it."""
        before = time.process_time()
        while True:
            await anyio.sleep(0.005)
            now = time.process_time()
            self.longest_s, before = max(self.longest_s, now - before), now


async def answer(name: str, arguments: dict[str, Any], context: ToolContext) -> str:
    """Make a call; return the code of its error, or ``answered``."""
    made = await call_tool(name, arguments, context)
    result = made if isinstance(made, types.CallToolResult) else as_result(made)
    result.model_dump_json()  # as on the wire
    error = (result.structured_content or {}).get("error") if result.is_error else None
    return str(error["code"]) if error else "answered"


async def play(tool: Tool, cases: list[dict[str, Any]], context: ToolContext) -> list[str]:
    """Make calls one after the other while others would be served; return their codes."""
    watch, codes = Watch(), []
    async with anyio.create_task_group() as group:
        group.start_soon(watch.run)
        for arguments in cases:
            started = time.process_time()
            codes.append(await answer(tool.name, arguments, context))
            assert time.process_time() - started < LONGEST_CALL_S, str(arguments)[:300]
            assert codes[-1] != "internal_error", str(arguments)[:300]
        group.cancel_scope.cancel()
    assert watch.longest_s < LONGEST_GAP_S
    return codes


@pytest.mark.parametrize("name", list(all_tools()))
async def test_a_string_of_200_kb_is_refused_at_once_wherever_it_stands(name: str, nowhere: ToolContext) -> None:
    tool = all_tools()[name]
    fills = dict(zip(tool.args.model_fields, FILLS * 9, strict=False))
    texts = {fill: filled(fill, LONG) for fill in FILLS}

    cases = [
        whole_call(tool, part, value)
        for fill, text in texts.items()
        for part, value in strings_in(tool, text)
        if fills[part] == fill
    ]
    codes = await play(tool, [*cases, whole_call(tool, texts["a"], 1)], nowhere)

    assert set(codes) == {"bad_arguments"}


@pytest.mark.parametrize("name", list(all_tools()))
async def test_a_string_of_the_longest_length_is_answered_in_a_second(name: str, nowhere: ToolContext) -> None:
    tool = all_tools()[name]
    fills = {part: (FILLS * 9)[place : place + 4] for place, part in enumerate(tool.args.model_fields)}

    await play(
        tool,
        [
            whole_call(tool, part, value)
            for fill in FILLS
            for part, value in strings_in(tool, filled(fill, LONGEST_STRING))
            if fill in fills[part]
        ],
        nowhere,
    )


ODD: dict[str, Any] = {
    "deep list": None,
    "deep object": None,
    "large whole": 10**400,
    "endless": float("inf"),
    "no number": float("nan"),
    "surrogate": "\ud800",
    "surrogate in a key": {"\udcff": 1},
    "nul": "a\0b",
    "many": [1] * 100_000,
    "deep text": "[" * 100_000,
    "deep text of JSON": "[" * 900 + "]" * 900,
    "digits": "9" * 4000,
    "digits of JSON": "[" + "9" * 5000 + "]",
    "far": "9999-12-31T23:59:59-23:59",
    "early": "0001-01-01T00:00:00+23:59",
    "far away": "9" * 400 + "w",
    "link of itself": "loop",
}
for _ in range(900):
    ODD["deep list"], ODD["deep object"] = [ODD["deep list"]], {"a": ODD["deep object"]}


@pytest.mark.parametrize("name", list(all_tools()))
async def test_no_odd_value_of_any_argument_is_an_internal_error(name: str, nowhere: ToolContext) -> None:
    tool = all_tools()[name]
    (nowhere.settings.roots[0] / "loop").symlink_to("loop")

    cases = [whole_call(tool, part, value) for part in tool.args.model_fields for value in ODD.values()]

    await play(tool, [case for case in cases if "wait_s" not in case], nowhere)
