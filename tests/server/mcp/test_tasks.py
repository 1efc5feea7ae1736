"""The Tasks extension: for a client that declares it a job is a task; every other client gets the job's handle."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import App

TASKS = "io.modelcontextprotocol/tasks"


class ModernServer:
    """A server spoken to line by line in 2026-07-28, with the extensions that a request declares."""

    def __init__(self, app: App) -> None:
        self.process = subprocess.Popen(
            app.command("mcp"),
            env=app.env,
            cwd=app.cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._id = 0

    def ask(self, method: str, *, declares: bool = True, **params: Any) -> dict[str, Any]:
        """The whole answer: result or error."""
        self._id += 1
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}} if declares else {},
        }
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": {"_meta": meta, **params}}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def call(self, *, declares: bool = True, **arguments: Any) -> dict[str, Any]:
        """Start to count."""
        answer = self.ask("tools/call", declares=declares, name="count_slowly", arguments=arguments)
        return dict(answer["result"])

    def ended(self, task_id: str) -> dict[str, Any]:
        """A task when it works no more: the job is waited for with get_job, which knows when."""
        self.ask("tools/call", name="get_job", arguments={"job_id": task_id, "wait_s": 50})
        return dict(self.ask("tasks/get", taskId=task_id)["result"])


@pytest.fixture(scope="module")
def server(app: App) -> Iterator[ModernServer]:
    """One server for all tests."""
    served = ModernServer(app)
    yield served
    served.process.communicate(timeout=20)


def test_a_job_is_a_task_from_its_start_to_its_result(app: App, server: ModernServer) -> None:
    gate = app.cwd / "gate-task"
    created = server.call(up_to=3, gate=gate.name)
    meanwhile = server.ask("tasks/get", taskId=created["taskId"])["result"]
    gate.touch()
    done = server.ended(created["taskId"])

    assert created["resultType"] == "task"
    assert created["taskId"].startswith("counting-")
    assert created["status"] == meanwhile["status"] == "working"
    assert created["ttlMs"] is None
    assert created["pollIntervalMs"] >= 1000
    assert created["createdAt"].endswith("Z")
    assert "result" not in meanwhile
    assert (done["resultType"], done["status"]) == ("complete", "completed")
    assert done["lastUpdatedAt"] > created["createdAt"]
    assert done["result"]["isError"] is False
    assert done["result"]["structuredContent"]["result"]["counted"] == 3
    assert json.loads(done["result"]["content"][0]["text"]) == done["result"]["structuredContent"]


def test_a_finished_job_and_a_dry_run_are_answered_at_once(server: ModernServer) -> None:
    first = server.call(up_to=6)
    server.ended(first["taskId"])

    again = server.call(up_to=6)
    dry = server.call(up_to=60, dry_run=True)

    assert (again["resultType"], again["structuredContent"]["job_id"]) == ("complete", first["taskId"])
    assert (dry["resultType"], dry["structuredContent"]["state"]) == ("complete", "not_started")


def test_a_job_that_fails_is_a_completed_task_with_an_error_for_the_model(server: ModernServer) -> None:
    done = server.ended(server.call(fails=True)["taskId"])

    assert done["status"] == "completed"
    assert done["result"]["isError"] is True
    assert done["result"]["structuredContent"]["error"]["code"] == "count_lost"


def test_a_cancelled_task_stops_its_job(server: ModernServer) -> None:
    task_id = server.call(gate="never-there", up_to=9)["taskId"]

    answered = server.ask("tasks/cancel", taskId=task_id)["result"]
    done = server.ended(task_id)

    assert answered["resultType"] == "complete"
    assert done["status"] == "cancelled"
    assert "result" not in done


def test_answers_that_nobody_asked_for_are_ignored(server: ModernServer) -> None:
    task_id = server.call(up_to=6)["structuredContent"]["job_id"]

    assert server.ask("tasks/update", taskId=task_id, inputResponses={"x": {}})["result"]["resultType"] == "complete"


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
def test_an_unknown_task_and_a_client_without_tasks_are_refused(server: ModernServer, method: str) -> None:
    unknown = server.ask(method, taskId="counting-nothing")["error"]
    undeclared = server.ask(method, declares=False, taskId="counting-nothing")["error"]

    assert unknown["code"] == -32602
    assert undeclared["code"] == -32021
    assert undeclared["data"] == {"requiredCapabilities": {"extensions": {TASKS: {}}}}


def test_a_client_without_tasks_gets_the_handle(server: ModernServer) -> None:
    answer = server.call(declares=False, up_to=11)

    assert answer["resultType"] == "complete"
    assert answer["structuredContent"]["job_id"].startswith("counting-")


def test_the_extension_is_advertised(server: ModernServer) -> None:
    assert server.ask("server/discover")["result"]["capabilities"]["extensions"] == {TASKS: {}}
