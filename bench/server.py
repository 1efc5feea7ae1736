"""Speed and memory of the MCP server, compared with a bare server of the same SDK: ``./run.sh bench server [--json]``.

Both run in turn on one interpreter, in the same minutes, so that the ratios hold on a busy machine. The bare one is
the SDK's ``MCPServer`` with one tool that gives back its text. Ours serves a home with jobs of its own making.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.figure import Figure
from jobs.settings import PROJECT_ROOT, Settings

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
N_STARTS, N_CALLS, N_LONG, N_JOBS, N_CLIENTS, N_EACH = 9, 300, 4000, 20, 8, 50
AUDIO = PROJECT_ROOT / "samples" / "fables.m4b"


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
        """A request's result."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": META | params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("id") == self._id:
                return dict(answer["result"])

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A tool's answer, which must not be an error."""
        result = self.ask("tools/call", name=tool, arguments=arguments)
        if result.get("isError"):
            raise RuntimeError(f"{tool}: {result['content'][0]['text']}")
        return result

    def rss_mb(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        """End it as clients do."""
        self.process.stdin.close()
        self.process.wait(20)


def timed_ms(work: Callable[[], object]) -> float:
    """Milliseconds of a call."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


@dataclass(frozen=True)
class Bench:
    """Settings that both servers are started with."""

    home: Path
    python: str

    @property
    def env(self) -> dict[str, str]:
        """As ``run.sh`` makes it."""
        ours = {"TTS_TRAIN_HOME": str(self.home), "PYTHONPATH": str(PROJECT_ROOT), "PYTHONSAFEPATH": "1"}
        return os.environ | ours | {"PYTHONNOUSERSITE": "1"}

    def ours(self) -> Server:
        """The product, on stdio."""
        return Server([self.python, "-m", "server.cli", "mcp"], self.env)

    def bare(self) -> Server:
        """The SDK alone, on stdio."""
        return Server([self.python, "-c", BARE], self.env)

    @contextlib.contextmanager
    def http(self) -> Iterator[tuple[str, str]]:
        """The product on a port: its URL and its token."""
        command = [self.python, "-m", "server.cli", "mcp", "--http", "--port", "0"]
        process = subprocess.Popen(command, env=self.env, cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True)
        try:
            url = process.stderr.readline().removeprefix("MCP at ").split(";")[0]
            yield url, (self.home / "http-token").read_text().strip()
        finally:
            process.terminate()
            process.wait(20)


def starting(bench: Bench) -> list[Figure]:
    """From nothing to the first answer, in turn."""
    bare: list[Any] = []
    ours: list[Any] = []
    for _ in range(N_STARTS):
        for found, make in ((bare, bench.bare), (ours, bench.ours)):
            server = make()
            found.append(server.cold_start_s)
            server.close()
    ratio = statistics.median(ours) / statistics.median(bare)
    detail = f"{statistics.median(ours) * 1e3:.0f} ms against {statistics.median(bare) * 1e3:.0f} ms"
    return [Figure("cold start", ratio, 1.3, "×", detail)]


def jobs_that_wait(server: Server) -> tuple[list[str], list[Figure]]:
    """Jobs for the home, each started by the real tool and not to run before tomorrow."""
    arguments = {"audio": str(AUDIO), "voice": "bench", "not_before": "1d", "reuse": False}
    job_ids, took = [], []
    for _ in range(N_JOBS):
        began = time.perf_counter()
        job = server.call("ingest_audiobook", **arguments)["structuredContent"]
        took.append((time.perf_counter() - began) * 1e3)
        job_ids.append(job["job_id"])
    python = statistics.median(
        timed_ms(lambda: subprocess.run([sys.executable, "-c", ""], check=True)) for _ in range(5)
    )
    detail = (
        f"median {statistics.median(took):.0f} ms; the first, which starts the supervisor, {took[0]:.0f} ms; "
        f"a bare interpreter takes {python:.0f} ms to start here now"
    )
    return job_ids, [Figure("start_* answers, slowest", max(took), 300, "ms", detail)]


def calling(bare: Server, ours: Server, job_ids: Sequence[str]) -> list[Figure]:
    """Calls one by one, in turn."""
    looks: dict[str, Callable[[], object]] = {
        "echo": lambda: bare.call("echo", text="a"),
        "get_job": lambda: ours.call("get_job", job_id=job_ids[0]),
        "list_jobs": lambda: ours.call("list_jobs"),
    }
    took: dict[str, list[float]] = {name: [] for name in looks}
    for _ in range(N_CALLS):
        for name, look in looks.items():
            took[name].append(timed_ms(look))
    echo = statistics.median(took.pop("echo"))
    return [
        Figure(
            f"{name} p50",
            statistics.median(found) / echo,
            2,
            "×",
            f"{statistics.median(found):.2f} ms against {echo:.2f} ms for an echo; p99 "
            f"{statistics.quantiles(found, n=100)[-1]:.1f} ms",
        )
        for name, found in took.items()
    ]


def remembering(bare: Server, ours: Server, job_ids: Sequence[str]) -> list[Figure]:
    """Memory of both after the same number of calls, and what ours takes for thousands more."""
    before = ours.rss_mb()
    ratio = before / bare.rss_mb()
    detail = f"{before:.0f} MB against {bare.rss_mb():.0f} MB after {N_CALLS} calls"
    told = [before]
    for _ in range(3):
        for place in range(N_LONG):
            if place % 2:
                ours.call("list_jobs")
            else:
                ours.call("get_job", job_id=job_ids[place % len(job_ids)])
        told.append(ours.rss_mb())
    # caches and the allocator's arenas fill in the first thousands of calls (3.4 MB measured), then it stands still
    grown = told[-1] - told[-2]
    each = ", ".join(f"{later - earlier:+.1f}" for earlier, later in itertools.pairwise(told))
    return [
        Figure("resident memory", ratio, 1.4, "×", detail),
        # a leak of 1 KiB a call would be 4 MB
        Figure(f"memory grown over {N_LONG} calls", grown, 1, "MB", f"by {N_LONG} calls: {each} MB; the last counts"),
    ]


def several(bench: Bench, job_ids: Sequence[str]) -> list[Figure]:
    """Clients at once: each with a server of its own on one home, and all of them at one port."""

    def on_stdio(place: int) -> int:
        server = bench.ours()
        try:
            return _errors(lambda: server.call("get_job", job_id=job_ids[place]), lambda: server.call("list_jobs"))
        finally:
            server.close()

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        stdio = sum(clients.map(on_stdio, range(N_CLIENTS)))
        with bench.http() as (url, token):
            began = time.perf_counter()
            port = sum(clients.map(lambda place: _over_http(url, token, job_ids[place]), range(N_CLIENTS)))
            rate = N_CLIENTS * N_EACH * 2 / (time.perf_counter() - began)
    calls = f"of {N_CLIENTS * N_EACH * 2} calls"
    return [
        Figure(f"errors of {N_CLIENTS} clients on stdio", stdio, 0, "", calls),
        Figure(f"errors of {N_CLIENTS} clients over HTTP", port, 0, "", f"{calls}; {rate:.0f} calls a second"),
    ]


def _errors(*calls: Callable[[], object]) -> int:
    errors = 0
    for _ in range(N_EACH):
        for call in calls:
            try:
                call()
            except (RuntimeError, KeyError, ValueError, httpx.HTTPError):
                errors += 1
    return errors


def _over_http(url: str, token: str, job_id: str) -> int:
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

        return _errors(lambda: call("get_job", job_id=job_id), lambda: call("list_jobs"))


def measured(bench: Bench) -> Iterator[Figure]:
    """All figures, as they come."""
    yield from starting(bench)
    bare, ours = bench.bare(), bench.ours()
    try:
        job_ids, figures = jobs_that_wait(ours)
        yield from figures
        yield from calling(bare, ours, job_ids)
        yield from remembering(bare, ours, job_ids)
        yield from several(bench, job_ids)
        for job_id in job_ids:
            ours.call("cancel_job", job_id=job_id)
    finally:
        bare.close()
        ours.close()


def main() -> int:
    """Measure and print; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="run.sh bench server", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    own = Settings.from_environment().python("server")
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench-server-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        # the bound on requests a second is for agents that run wild; here it would measure itself
        (home / "config.toml").write_text("[http]\nmax_per_s = 100000\n")
        for figure in measured(Bench(home, str(own) if own.exists() else sys.executable)):
            figures.append(figure)
            if not options.json:
                good = "ok  " if figure.is_good else "MISS"
                print(
                    f"{good} {figure.name:38}{figure.value:8.2f} {figure.unit:3} (≤ {figure.target:g})  {figure.detail}"
                )
                sys.stdout.flush()
    if options.json:
        print(json.dumps([asdict(figure) | {"is_good": figure.is_good} for figure in figures], ensure_ascii=False))
    return 0 if all(figure.is_good for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
