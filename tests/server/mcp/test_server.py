"""The MCP server, driven by the SDK's client over stdio, in both protocol eras."""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from counting import png
from mcp import Client, MCPError

if TYPE_CHECKING:
    from conftest import App

Until = Callable[[Callable[[], object]], None]
pytestmark = pytest.mark.anyio
ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
# Prints, and lets a child print, when the server's own modules are looked for.
LOUD = """
import os, subprocess, sys
from server.cli.main import main

class Loud:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ("server.mcp.server", "mcp.server.stdio", "tools.start_tools"):
            print("loud", flush=True)
            sys.stdout.write("half a line without its end")
            os.write(1, b"louder")
            subprocess.run(["echo", "loudest"])

sys.meta_path.insert(0, Loud)
sys.exit(main())
"""
TOOLS = {
    "align", "cancel_job", "convert_codes", "get_artifact", "get_job", "ingest_audiobook", "ingest_clips", "list_jobs",
    "rate_samples", "start_training", "synthesize",
}  # fmt: skip


@pytest.fixture(scope="module", params=list(ERAS))
def era(request: pytest.FixtureRequest) -> str:
    """Protocol era of the client."""
    return str(request.param)


@pytest.fixture(scope="module")
async def client(app: App, era: str) -> AsyncIterator[Client]:
    """One connection for the tests that do not end their server."""
    async with app.client(era) as connected:
        yield connected


@pytest.fixture(scope="module")
def counted(app: App) -> dict[str, Any]:
    """A finished job."""
    code, job = app.json("count-slowly", "--wait")
    assert code == 0
    return job


def text_of(result: Any) -> str:
    """The words of an answer."""
    return "\n".join(block.text for block in result.content if block.type == "text")


async def polled_until(client: Client, job_id: str, fraction: float) -> dict[str, Any]:
    """Poll a job as an agent does until it has come so far."""
    with anyio.fail_after(60):
        while True:
            job = await client.call_tool("get_job", {"job_id": job_id, "wait_s": 0.5})
            if job.structured_content.get("fraction", 0) >= fraction:
                return dict(job.structured_content)


async def test_both_eras_list_every_tool_with_strict_schemas_and_hints(client: Client, era: str) -> None:
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert client.protocol_version == ERAS[era]
    assert listed.keys() >= TOOLS
    assert all(tool.input_schema["additionalProperties"] is False for tool in listed.values())
    assert listed["get_job"].annotations.read_only_hint is True
    assert listed["cancel_job"].annotations.destructive_hint is True
    assert listed["start_training"].annotations.read_only_hint is not True
    assert listed["start_training"].annotations.destructive_hint is True  # replaces what earlier jobs have made
    assert all(tool.output_schema is None for tool in listed.values())


async def test_a_listing_server_makes_no_home(app: App, tmp_path: Path) -> None:
    home = tmp_path / "untouched"

    async with app.client(changes={"TTS_TRAIN_HOME": str(home)}) as client:
        await client.list_tools()

    assert not home.exists()


async def test_the_instructions_tell_the_workflow(client: Client) -> None:
    await client.list_tools()
    words = client.instructions

    assert words is not None
    workflow = ("ingest_audiobook", "align", "convert_codes", "start_training", "synthesize", "rate_samples")
    order = [words.index(name) for name in workflow]
    assert order == sorted(order)
    assert len(words.splitlines()) <= 15


async def test_a_job_started_waited_for_and_read_in_both_eras(app: App, client: Client, era: str) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None = None, message: str | None = None) -> None:
        seen.append((progress, total, message))

    gate = app.cwd / f"gate-{era}"
    started = await client.call_tool("count_slowly", {"up_to": 4, "gate": gate.name, "idempotency_key": era})
    job = started.structured_content
    waiting = await polled_until(client, job["job_id"], 0.75)
    await client.call_tool("get_job", {"job_id": job["job_id"], "wait_s": 0.5}, progress_callback=on_progress)
    gate.touch()
    done = await client.call_tool("get_job", {"job_id": job["job_id"], "wait_s": 50})

    assert job["state"] in ("queued", "starting", "running")
    assert job["poll_after_s"] > 0
    assert waiting["progress"] == "3/4 counting loss=0.6667"
    assert seen == [(3, 4, "3/4 counting loss=0.6667")]
    assert done.structured_content["state"] == "succeeded"
    assert done.structured_content["poll_after_s"] is None
    assert done.structured_content["result"]["counted"] == 4
    assert done.structured_content["next"] == f'Read "{done.structured_content["result"]["note"]}"; it says 4.'
    assert json.loads(text_of(done)) == done.structured_content


async def test_a_poll_costs_less_than_400_tokens(app: App, client: Client, era: str) -> None:
    gate = app.cwd / f"gate-poll-{era}"
    started = await client.call_tool("count_slowly", {"up_to": 500, "gate": gate.name})
    running = await polled_until(client, started.structured_content["job_id"], 0.9)
    gate.touch()
    done = await client.call_tool("get_job", {"job_id": running["job_id"], "wait_s": 50})

    # four characters a token is what English and JSON cost in common tokenizers; ids cost more, hence the margin
    assert len(json.dumps(running)) / 4 < 300
    assert len(json.dumps(done.structured_content)) / 4 < 350


async def test_the_same_call_finds_the_same_job(client: Client, era: str) -> None:
    # another length for each era: both use one home
    arguments = {"up_to": 10 + len(era)}
    first = await client.call_tool("count_slowly", arguments)
    again = await client.call_tool("count_slowly", arguments)
    anew = await client.call_tool("count_slowly", arguments | {"reuse": False})

    assert "reused" not in first.structured_content or first.structured_content["reused"] is False
    assert again.structured_content["job_id"] == first.structured_content["job_id"]
    assert again.structured_content["reused"] is True
    assert anew.structured_content["job_id"] != first.structured_content["job_id"]


async def test_a_misspelt_argument_is_refused_with_every_other_fault_and_starts_nothing(client: Client) -> None:
    before = (await client.call_tool("list_jobs", {"limit": 50})).structured_content["jobs"]
    refused = await client.call_tool("count_slowly", {"upto": 5, "up_to": 0})
    after = (await client.call_tool("list_jobs", {"limit": 50})).structured_content["jobs"]

    assert refused.is_error
    assert "unknown argument 'upto'; did you mean 'up_to'?" in text_of(refused)
    assert "up_to must be greater than or equal to 1, not 0" in text_of(refused)
    assert "pydantic" not in text_of(refused)
    assert [job["job_id"] for job in before] == [job["job_id"] for job in after]


async def test_an_unknown_tool_names_the_nearest(client: Client) -> None:
    refused = await client.call_tool("start_trainig", {})

    assert refused.is_error
    assert text_of(refused).startswith("unknown_tool: There is no tool 'start_trainig'. Did you mean 'start_training'?")


async def test_a_defect_gives_a_short_error_and_its_traceback_to_the_log_alone(client: Client) -> None:
    refused = await client.call_tool("crash", {"how": "defect"})

    assert refused.is_error
    assert text_of(refused).startswith("internal_error: crash failed")
    assert "secret" not in text_of(refused)


async def test_stray_words_on_stdout_do_not_reach_the_wire(client: Client) -> None:
    for how in ("print", "write"):
        await client.call_tool("crash", {"how": how})
    answer = await client.call_tool("list_jobs", {})

    assert not answer.is_error


async def test_a_path_outside_the_roots_is_refused_alike_whether_it_exists_or_not(app: App, client: Client) -> None:
    there = await client.call_tool("align", {"manifest": "/etc/passwd"})
    nowhere = await client.call_tool("align", {"manifest": "/etc/passwx"})

    assert there.is_error
    assert text_of(there).startswith("path_outside_roots: manifest='/etc/passwd'")
    assert str(app.cwd) in text_of(there)
    assert "TTS_TRAIN_ROOTS" in text_of(there)
    assert text_of(there).replace("passwd", "passwx") == text_of(nowhere)


async def test_a_manifest_of_the_wrong_step_names_the_right_tool(app: App, client: Client) -> None:
    manifest = app.cwd / "train_manifest.jsonl"
    manifest.write_text('{"audio": "clips/a.wav", "text": "A line."}\n')

    refused = await client.call_tool("start_training", {"manifest": manifest.name, "base_model": "toy"})

    assert refused.is_error
    assert text_of(refused).startswith("manifest_wrong_step:")
    assert "convert_codes" in text_of(refused)


async def test_a_failed_job_says_why_and_what_to_do(client: Client) -> None:
    started = await client.call_tool("count_slowly", {"fails": True})
    failed = await client.call_tool("get_job", {"job_id": started.structured_content["job_id"], "wait_s": 50})

    job = failed.structured_content
    assert not failed.is_error
    assert job["state"] == "failed"
    assert job["error"] == {
        "code": "count_lost",
        "message": "The count was lost at the end.",
    }
    assert job["next"] == "Count again with fails=false. The call was: count_slowly fails=true"


async def test_a_cancelled_job_stops(client: Client) -> None:
    started = await client.call_tool("count_slowly", {"gate": "never-there"})
    cancelled = await client.call_tool("cancel_job", {"job_id": started.structured_content["job_id"]})
    again = await client.call_tool("cancel_job", {"job_id": started.structured_content["job_id"]})

    assert cancelled.structured_content["state"] == "cancelled"
    assert again.structured_content["state"] == "cancelled"


async def test_what_a_cancelled_job_has_left_is_kept_and_marked(client: Client) -> None:
    started = await client.call_tool("count_slowly", {"gate": "never-there", "drafts": True})
    job_id = started.structured_content["job_id"]
    seen: dict[str, Any] = {}
    while "artifacts" not in seen:
        seen = (await client.call_tool("get_job", {"job_id": job_id, "wait_s": 1})).structured_content
    await client.call_tool("cancel_job", {"job_id": job_id})
    await client.call_tool("get_job", {"job_id": job_id, "wait_s": 20})

    draft = await client.call_tool("get_artifact", {"handle": f"artifact://{job_id}/draft", "inline": True})

    assert draft.structured_content["text"] == "counted so far\n"
    assert draft.structured_content["made_by"]["state"] == "cancelled"
    assert "may be incomplete" in draft.structured_content["next"]


async def test_artifacts_come_as_link_picture_sound_text_and_list(client: Client, counted: dict[str, Any]) -> None:
    handles = {artifact["name"]: artifact["handle"] for artifact in counted["artifacts"]}

    link = await client.call_tool("get_artifact", {"handle": handles["plot"]})
    picture = await client.call_tool("get_artifact", {"handle": handles["plot"], "inline": True})
    sound = await client.call_tool("get_artifact", {"handle": handles["take"], "inline": True})
    note = await client.call_tool("get_artifact", {"handle": handles["note"], "inline": True})
    folder = await client.call_tool("get_artifact", {"handle": handles["folder"], "inline": True})
    unknown = await client.call_tool("get_artifact", {"handle": handles["plot"] + "s"})

    assert [block.type for block in link.content] == ["text", "resource_link"]
    assert link.structured_content["path"].endswith("/out/loss.png")
    assert link.structured_content["size_bytes"] == len(png())
    assert len(link.structured_content["sha256"]) == 64
    assert link.structured_content["made_by"]["kind"] == counted["kind"]
    assert link.structured_content["made_by"]["version"]
    assert [(block.type, block.mime_type) for block in picture.content[:1]] == [("image", "image/png")]
    assert picture.structured_content is None
    assert [(block.type, block.mime_type) for block in sound.content[:1]] == [("audio", "audio/wav")]
    assert note.structured_content["text"] == "counted\n"
    assert "note.txt" in folder.structured_content["entries"]
    assert unknown.is_error
    assert "note, plot, take, folder" in text_of(unknown)


async def test_log_and_artifacts_are_resources(client: Client, counted: dict[str, Any]) -> None:
    job_id = counted["job_id"]
    templates = {template.uri_template for template in (await client.list_resource_templates()).resource_templates}
    log = (await client.read_resource(f"job://{job_id}/log")).contents[0]
    note = (await client.read_resource(f"artifact://{job_id}/note")).contents[0]
    plot = (await client.read_resource(f"artifact://{job_id}/plot")).contents[0]
    with pytest.raises(MCPError, match="job_unknown"):
        await client.read_resource("job://nothing/log")
    with pytest.raises(MCPError, match="artifact_unknown") as refused:
        await client.read_resource(f"artifact://{job_id}/../../jobs.db")

    drawn = (await client.read_resource(f"job://{job_id}/plot")).contents[0]

    assert templates == {"job://{job_id}/log", "job://{job_id}/plot", "artifact://{job_id}/{+name}", "tool://{tool}"}
    assert drawn.mime_type == "image/png"
    assert base64.b64decode(drawn.blob).startswith(b"\x89PNG")
    assert log.mime_type == "text/plain"
    assert note.text == "counted\n"
    assert log.meta == note.meta == {"untrusted": ["text"]}
    assert plot.meta == {"untrusted": ["blob"]}
    assert (await client.read_resource("tool://align")).contents[0].meta is None
    assert refused.value.error.data["untrusted"] == ["message"]
    assert plot.mime_type == "image/png"


async def test_a_job_outlives_its_server_and_another_server_sees_it_finish(app: App) -> None:
    gate = app.cwd / "gate-outlive"
    server = RawServer(app)
    job = server.call("count_slowly", {"up_to": 7, "gate": gate.name})
    server.process.kill()
    server.process.wait()

    async with app.client() as client:
        meanwhile = await client.call_tool("get_job", {"job_id": job["job_id"]})
        gate.touch()
        done = await client.call_tool("get_job", {"job_id": job["job_id"], "wait_s": 50})

    assert meanwhile.structured_content["state"] in ("queued", "starting", "running")
    assert done.structured_content["state"] == "succeeded"


async def test_every_byte_on_stdout_is_a_message(app: App) -> None:
    server = RawServer(app)
    server.call("list_jobs", {})
    server.call("crash", {"how": "print"})

    rest = await anyio.to_thread.run_sync(server.close)

    assert rest == b""
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_server_at_once(app: App, number: signal.Signals) -> None:
    server = RawServer(app)
    server.call("list_jobs", {})

    server.process.send_signal(number)

    assert await anyio.to_thread.run_sync(lambda: server.process.wait(20)) == -number


async def test_the_server_ends_when_its_client_closes_the_pipe(app: App) -> None:
    server = RawServer(app)
    server.call("list_jobs", {})

    server.process.stdin.close()

    assert await anyio.to_thread.run_sync(lambda: server.process.wait(20)) == 0


@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_call_that_waits_keeps_no_server_alive_and_its_job_goes_on(
    app: App, number: signal.Signals | None
) -> None:
    server = RawServer(app)
    gate = app.cwd / f"gate-ending-{number}"
    job = server.call("count_slowly", {"up_to": 30 + int(number or 0), "gate": gate.name})
    server.begin("get_job", {"job_id": job["job_id"], "wait_s": 50})

    if number is None:
        server.process.stdin.close()
    else:
        server.process.send_signal(number)

    status = await anyio.to_thread.run_sync(lambda: server.process.wait(20))
    meanwhile = app.json("job", job["job_id"])[1]["state"]
    await anyio.Path(gate).touch()
    done = app.json("job", job["job_id"], "--wait")[1]["state"]
    assert status == (0 if number is None else -number)
    assert meanwhile in ("queued", "starting", "running")
    assert done == "succeeded"


async def test_what_modules_and_their_children_print_while_they_are_imported_is_not_on_the_wire(
    app: App, tmp_path: Path
) -> None:
    (tmp_path / "loud.py").write_text(LOUD)
    server = RawServer(app, command=[sys.executable, str(tmp_path / "loud.py"), "mcp"])
    server.call("list_jobs", {})

    rest = await anyio.to_thread.run_sync(server.close)

    assert rest == b""
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)


async def test_a_client_that_passes_nothing_on_is_served(app: App) -> None:
    thin = {name: value for name, value in app.env.items() if name.startswith(("PYTHON", "TTS_TRAIN_"))}
    server = RawServer(app, env=thin)

    assert "jobs" in server.call("list_jobs", {})
    server.close()


async def test_the_server_ends_with_its_parent_although_the_pipe_is_still_open(app: App, until: Until) -> None:
    wrapped = RawServer(app, wrapper=[sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"])
    wrapped.call("list_jobs", {})
    [server] = children_of(wrapped.process.pid)

    wrapped.process.kill()
    wrapped.process.wait()

    assert not wrapped.process.stdin.closed
    await anyio.to_thread.run_sync(until, lambda: not is_alive(server))


async def test_the_server_process_imports_neither_numpy_nor_torch(app: App) -> None:
    code = (
        "import sys; from jobs.settings import Settings; from server.mcp.server import build; "
        "from tools.core.registry import all_tools; build(Settings.from_environment()); all_tools(); "
        "sys.exit(','.join({'numpy', 'torch', 'transformers', 'soundfile'} & set(sys.modules)) or 0)"
    )

    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run([app.command()[0], "-c", code], env=app.env, capture_output=True, text=True)
    )

    assert (done.returncode, done.stderr) == (0, "")


def children_of(parent: int) -> list[int]:
    """Processes that a process started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            head, _, rest = path.read_text().rpartition(")")
            if int(rest.split()[1]) == parent:
                found.append(int(head.split()[0]))
    return found


def is_alive(pid: int) -> bool:
    """A zombie that is not reaped counts as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _hear_signals() -> None:
    """A shell that runs the tests in the background, or nohup, lets its children ignore these."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class RawServer:
    """A server spoken to line by line, as a test that looks at bytes needs it (2025-11-25 handshake)."""

    def __init__(
        self,
        app: App,
        wrapper: Sequence[str] = (),
        command: Sequence[str] | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [*wrapper, *(command or app.command("mcp"))],
            env=env or app.env,
            cwd=app.cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=_hear_signals,
        )
        self.lines: list[bytes] = []
        self._next_id = 0
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        self._ask("initialize", hello)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool; its structured answer."""
        answer = self._ask("tools/call", {"name": tool, "arguments": arguments})
        return dict(answer["result"]["structuredContent"])

    def begin(self, tool: str, arguments: dict[str, Any]) -> None:
        """Call a tool and do not wait; whatever was asked before has been taken when this returns."""
        self._next_id += 1
        params = {"name": tool, "arguments": arguments}
        self._send({"jsonrpc": "2.0", "id": self._next_id, "method": "tools/call", "params": params})
        self._ask("ping", {})

    def close(self) -> bytes:
        """End the server; what it still wrote."""
        return self.process.communicate(timeout=10)[0]

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._next_id += 1
        self._send({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})
        self.lines.append(self.process.stdout.readline())
        return dict(json.loads(self.lines[-1]))

    def _send(self, message: dict[str, Any]) -> None:
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()


async def test_a_sounds_spectrogram_and_a_jobs_curves_are_pictures(client: Client, counted: dict[str, Any]) -> None:
    job_id = counted["job_id"]

    sound = await client.call_tool("get_artifact", {"handle": f"artifact://{job_id}/take", "picture": True})
    curves = await client.call_tool("get_artifact", {"handle": f"artifact://{job_id}/curves"})
    folder = await client.call_tool("get_artifact", {"handle": f"artifact://{job_id}/folder", "picture": True})

    for shown in (sound, curves):
        [picture] = [block for block in shown.content if block.type == "image"]
        assert base64.b64decode(picture.data).startswith(b"\x89PNG")
        assert shown.structured_content is None
    assert "A picture is made of" in folder.structured_content["next"]
