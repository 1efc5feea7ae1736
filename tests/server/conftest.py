"""A home with real servers and commands as child processes, and real jobs; all ended afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from jobs.settings import PROJECT_ROOT

collect_ignore = ["strangers"]  # holds a tool that the conformance suite wants to be called test_…
EXTRA = Path(__file__).resolve().parent / "extra"
BOUND_S = 60.0


@dataclass(frozen=True)
class App:
    """A home and a working directory, with commands, clients and servers that use them."""

    home: Path
    cwd: Path
    env: dict[str, str] = field(repr=False)

    def run(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """A command, as run.sh would run it."""
        return subprocess.run(
            self.command(*words),
            env=os.environ | self.env | changes,
            cwd=self.cwd,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code and the one object on stdout."""
        done = self.run(*words, "--json")
        lines = done.stdout.splitlines()
        assert len(lines) == 1, done.stdout + done.stderr
        return done.returncode, dict(json.loads(lines[0]))

    def command(self, *words: str) -> list[str]:
        """The command line with the tests' own tools."""
        return [sys.executable, str(EXTRA / "served.py"), *words]

    def client(self, mode: str = "auto", changes: dict[str, str] | None = None, **options: Any) -> Client:
        """A real MCP client over stdio."""
        words = self.command("mcp")
        env = self.env | (changes or {})
        parameters = StdioServerParameters(command=words[0], args=words[1:], env=env, cwd=self.cwd)
        return Client(parameters, mode=mode, **options)

    @contextmanager
    def http(self, *flags: str, within: Sequence[str] = ()) -> Iterator[HttpServer]:
        """A real server on a free port, ended by SIGTERM; ``within`` a command that starts it."""
        process = subprocess.Popen(
            [*within, *self.command("mcp", "--http", "--port", "0", *flags)],
            env=os.environ | self.env,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # a shell that runs the tests in the background lets its children ignore it
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            said = process.stderr.readline()
            assert said.startswith("MCP at http"), said + process.stderr.read()
            url, admission = said.removeprefix("MCP at ").rstrip("\n").split("; ", 1)
            yield HttpServer(process, url, Path(admission.removeprefix("bearer token in ")))
        finally:
            process.terminate()
            process.wait(BOUND_S)


@dataclass(frozen=True)
class HttpServer:
    """A server that listens."""

    process: subprocess.Popen[str]
    url: str
    token_file: Path

    @property
    def token(self) -> str:
        """Return the token that its clients need."""
        return self.token_file.read_text().strip()

    @asynccontextmanager
    async def client(self, mode: str = "auto", **options: Any) -> AsyncIterator[Client]:
        """A real MCP client with the token."""
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {self.token}"}, timeout=BOUND_S) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode, **options) as client,
        ):
            yield client


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, end_processes_of: Callable[[Path], None]) -> Iterator[App]:
    """One home for a module's tests."""
    folder = tmp_path_factory.mktemp("installation")
    python = folder / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    cwd = folder / "work"
    cwd.mkdir()
    home = folder / "home"
    env = {
        "TTS_TRAIN_HOME": str(home),
        "TTS_TRAIN_ENVS": str(folder / "envs"),
        "TTS_TRAIN_CWD": str(cwd),
        "TTS_TRAIN_CPU_SLOTS": "2",
        "TTS_TRAIN_DISK_RESERVE_MB": "1",
        "PYTHONPATH": f"{PROJECT_ROOT}:{EXTRA / 'work'}",
        "PYTHONSAFEPATH": "1",
    }
    yield App(home, cwd, env)
    end_processes_of(home)


sys.path.append(str(EXTRA / "work"))  # the tests read what the extra work writes


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio alone: what the SDK's transports are served with."""
    return "asyncio"


Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def until() -> Until:
    """Wait, with a bound, until a condition holds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + BOUND_S
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return wait
