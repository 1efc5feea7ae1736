"""Long names and values where the protocol takes them beside tools: resources, prompts, completions."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from mcp import Client, MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from jobs.settings import Settings
from server.mcp.server import build

pytestmark = pytest.mark.anyio
LONGEST_S = 1.0
LONG = "a-" * 100_000
PLOT = ResourceTemplateReference(type="ref/resource", uri="job://{job_id}/plot")
CASES: dict[str, Callable[[Client], Awaitable[object]]] = {
    "log": lambda client: client.read_resource(f"job://{LONG}/log"),
    "plot": lambda client: client.read_resource(f"job://{LONG}/plot"),
    "artifact": lambda client: client.read_resource(f"artifact://{LONG}/{LONG}"),
    "help": lambda client: client.read_resource(f"tool://{LONG}"),
    "other": lambda client: client.read_resource(f"other://{LONG}"),
    "prompt": lambda client: client.get_prompt(LONG, {}),
    "argument": lambda client: client.get_prompt("make_a_voice", {LONG: "x"}),
    "value": lambda client: client.get_prompt("diagnose_job", {"job_id": LONG}),
    "completion": lambda client: client.complete(PLOT, {"name": "job_id", "value": LONG}),
    "name": lambda client: client.complete(PromptReference(type="ref/prompt", name=LONG), {"name": LONG, "value": ""}),
    "tool": lambda client: client.call_tool(LONG, {}),
}


@pytest.mark.parametrize("case", list(CASES))
async def test_a_long_name_is_answered_in_a_second_and_briefly(case: str, tmp_path: Path) -> None:
    here = Settings(home=tmp_path / "home", envs=tmp_path / "none", roots=(tmp_path, tmp_path / "home"))
    async with Client(build(here)) as client:
        started = time.process_time()

        try:
            told = str(await CASES[case](client))
        except MCPError as error:
            told = str(error)
            assert len(told) < 3000

        assert time.process_time() - started < LONGEST_S
    assert "internal_error" not in told
