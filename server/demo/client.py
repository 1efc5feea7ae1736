"""A real MCP client over stdio that starts jobs and waits for them."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mcp import Client, StdioServerParameters

from jobs.errors import UserError
from jobs.settings import Settings

POLL_S = 50  # below the timeout of a call in all known clients
OnChange = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Agent:
    """A client that calls tools and polls jobs, as an agent does."""

    client: Client
    on_change: OnChange

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool; return its structured answer.

        Raises:
            UserError: ``tool_failed`` with the tool's own text.
        """
        answer = await self.client.call_tool(tool, arguments)
        if answer.is_error or answer.structured_content is None:
            text = " ".join(getattr(block, "text", "") for block in answer.content)
            raise UserError("tool_failed", f"{tool}: {text}", "The message names the next step.")
        return dict(answer.structured_content)

    async def run(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Start a job and poll it to its end; return its last view in any state."""
        view = await self.call(tool, arguments)
        job: dict[str, Any] = view.get("job") or view
        reused = job.get("reused", False)

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            self.on_change(
                {**job, "state": "running", "progress": message or "", "fraction": progress / total if total else None}
            )

        while job["poll_after_s"] is not None:
            self.on_change(job)
            answer = await self.client.call_tool(
                "get_job", {"job_id": job["job_id"], "wait_s": POLL_S}, progress_callback=on_progress
            )
            job = dict(answer.structured_content or {})
        self.on_change(job)
        return {**job, "reused": reused}


@asynccontextmanager
async def connect(settings: Settings, on_change: OnChange) -> AsyncIterator[Agent]:
    """Start the MCP server as a client's configuration does, and end it afterwards; jobs continue."""
    environment = {
        "TTS_TRAIN_HOME": str(settings.home),
        "TTS_TRAIN_ENVS": str(settings.envs),
        "TTS_TRAIN_CWD": str(settings.roots[0]),
        "PYTHONPATH": ":".join(part for part in sys.path if part),
        "PYTHONSAFEPATH": "1",
    }
    parameters = StdioServerParameters(command=sys.executable, args=["-m", "server.cli", "mcp"], env=environment)
    async with Client(parameters) as client:
        yield Agent(client, on_change)
