"""Servers of a benchmark and their clients: ours and a bare one of the same SDK, on stdio and over HTTP."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from jobs.settings import PROJECT_ROOT

BARE = """
from mcp.server import MCPServer

server = MCPServer("bare", version="1", log_level="WARNING")

@server.tool()
async def echo(text: str) -> str:
    return text

server.run()
"""
VERSION = "2026-07-28"
META = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}


class Server:
    """A server on stdin and stdout, spoken to line by line, so that the client's own cost is small and the same."""

    def __init__(self, words: Sequence[str], env: dict[str, str]) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen(
            words, env=env, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._id = 0
        self.ask("server/discover")
        self.cold_start_s = time.perf_counter() - began

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and return its result."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": META | params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("id") == self._id:
                return dict(answer["result"])

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its answer; raise RuntimeError if it is an error."""
        result = self.ask("tools/call", name=tool, arguments=arguments)
        if result.get("isError"):
            raise RuntimeError(f"{tool}: {result['content'][0]['text']}")
        return result

    def rss_mb(self) -> float:
        """Return the resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        """End the server as clients do: by closing its input."""
        self.process.stdin.close()
        self.process.wait(20)


@dataclass(frozen=True)
class Launcher:
    """Starts both servers with the same home and interpreter."""

    home: Path
    python: str

    @property
    def env(self) -> dict[str, str]:
        """Environment that ``run.sh`` gives the server."""
        ours = {"TTS_TRAIN_HOME": str(self.home), "PYTHONPATH": str(PROJECT_ROOT), "PYTHONSAFEPATH": "1"}
        return os.environ | ours | {"PYTHONNOUSERSITE": "1"}

    def ours(self) -> Server:
        """Start the product on stdio."""
        return Server([self.python, "-m", "server.cli", "mcp"], self.env)

    def bare(self) -> Server:
        """Start the bare server on stdio."""
        return Server([self.python, "-c", BARE], self.env)

    @contextlib.contextmanager
    def http(self) -> Iterator[tuple[str, str]]:
        """Start the product on a port; yields its URL and its token."""
        command = [self.python, "-m", "server.cli", "mcp", "--http", "--port", "0"]
        process = subprocess.Popen(command, env=self.env, cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True)
        try:
            url = process.stderr.readline().removeprefix("MCP at ").split(";")[0]
            yield url, (self.home / "http-token").read_text().strip()
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def http_client(url: str, token: str) -> Iterator[Callable[..., None]]:
    """A client of the HTTP server: a function that calls a tool and raises on an error."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tools/call",
    }
    with httpx.Client(headers=headers, timeout=60) as client:

        def call(tool: str, **arguments: Any) -> None:
            params = META | {"name": tool, "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            answer = client.post(url, json=body, headers={"Mcp-Name": tool})
            if answer.raise_for_status().json()["result"].get("isError"):
                raise RuntimeError(answer.text)

        yield call
