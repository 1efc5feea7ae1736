"""One definition, four ways to it: stdio and HTTP, each in both protocol eras. The same story gets the same answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError

from jobs.dataset.takes import Take

if TYPE_CHECKING:
    from conftest import App, HttpServer

pytestmark = pytest.mark.anyio
LEGS = {
    "stdio-2026": ("auto", "2026-07-28"),
    "stdio-2025": ("legacy", "2025-11-25"),
    "http-2026": ("auto", "2026-07-28"),
    "http-2025": ("legacy", "2025-11-25"),
}


class Person:
    """Answers the forms that a client shows."""

    def __init__(self, action: str = "accept", **content: Any) -> None:
        self.action = action
        self.content = content
        self.asked: list[types.ElicitRequestFormParams] = []

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
        """Fill in the form."""
        self.asked.append(params)
        return types.ElicitResult(action=self.action, content=self.content if self.action == "accept" else None)


@pytest.fixture(scope="module")
async def http(app: App) -> AsyncIterator[HttpServer]:
    """One server for both eras."""
    with app.http() as server:
        yield server


@pytest.fixture(params=LEGS)
def leg(request: pytest.FixtureRequest) -> str:
    """Transport and era."""
    return str(request.param)


def connected(leg: str, app: App, http: HttpServer, **options: Any) -> AbstractAsyncContextManager[Client]:
    """A client on a leg."""
    mode = LEGS[leg][0]
    return app.client(mode, **options) if leg.startswith("stdio") else http.client(mode, **options)


def takes_in(folder: Path) -> Path:
    """Two takes without a rating."""
    folder.mkdir()
    rows = [Take(audio=f"take_{place}.wav", text=f"Line {place}.", duration_s=1.0) for place in (1, 2)]
    (folder / "takes.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in rows))
    return folder


async def code_of(call: Any) -> tuple[int, str]:
    """Code and message of the protocol's error that a call ends with."""
    with pytest.raises(MCPError) as error:
        await call
    return error.value.error.code, error.value.error.message


def words_of(result: Any) -> str:
    """The words of an answer."""
    return "\n".join(block.text for block in result.content if block.type == "text")


async def story(client: Client, leg: str, gate: Path) -> dict[str, Any]:
    """Everything that a client may ask for; what differs by nature (ids, times) is left out."""
    seen: list[tuple[float, float | None, str | None]] = []

    async def on_progress(done: float, total: float | None = None, message: str | None = None) -> None:
        seen.append((done, total, message))

    told: dict[str, Any] = {"tools": [tool.model_dump() for tool in (await client.list_tools()).tools]}
    arguments = {"up_to": 4, "gate": gate.name, "idempotency_key": leg}
    job_id = (await client.call_tool("count_slowly", arguments)).structured_content["job_id"]
    with anyio.fail_after(60):
        while not seen:
            waited = {"job_id": job_id, "wait_s": 1}
            await client.call_tool("get_job", waited, progress_callback=on_progress)
    with anyio.move_on_after(0.3) as left:
        await client.call_tool("get_job", {"job_id": job_id, "wait_s": 50})
    told["left"] = left.cancelled_caught
    await anyio.Path(gate).touch()
    done = await client.call_tool("get_job", {"job_id": job_id, "wait_s": 50})
    told["progress"] = [(total, message.split()[1]) for _, total, message in seen]
    told["done"] = {key: done.structured_content[key] for key in ("kind", "state", "poll_after_s")}
    told["result"] = done.structured_content["result"]["counted"]
    told["misspelt"] = words_of(await client.call_tool("count_slowly", {"upto": 5}))
    told["no tool"] = words_of(await client.call_tool("start_trainig", {}))
    told["no job"] = words_of(await client.call_tool("get_job", {"job_id": "nothing"}))
    told["defect"] = words_of(await client.call_tool("crash", {"how": "defect"})).split("(")[0]
    told["how to ask"] = (await client.call_tool("rate_samples", {"takes": "unheard"})).structured_content
    endless = (await client.call_tool("count_slowly", {"gate": "never", "reuse": False})).structured_content["job_id"]
    told["cancelled"] = (await client.call_tool("cancel_job", {"job_id": endless})).structured_content["state"]

    told["templates"] = [item.model_dump() for item in (await client.list_resource_templates()).resource_templates]
    told["resources"] = (await client.list_resources()).resources
    log = (await client.read_resource(f"job://{job_id}/log")).contents[0]
    told["log"] = (log.mime_type, "counting up to 4" in log.text)
    plot = (await client.read_resource(f"artifact://{job_id}/plot")).contents[0]
    told["plot"] = (plot.mime_type, plot.blob)
    told["help"] = (await client.read_resource("tool://start_training")).contents[0].text
    told["no help"] = await code_of(client.read_resource("tool://start_trainig"))
    told["no resource"] = await code_of(client.read_resource("job://nothing/log"))

    template = types.ResourceTemplateReference(type="ref/resource", uri="job://{job_id}/log")
    offered = await client.complete(template, {"name": "job_id", "value": job_id[:-2]})
    told["jobs offered"] = offered.completion.values == [job_id]
    artifact = types.ResourceTemplateReference(type="ref/resource", uri="artifact://{job_id}/{+name}")
    names = await client.complete(artifact, {"name": "name", "value": "t"}, {"job_id": job_id})
    told["artifacts offered"] = names.completion.values
    prompt = types.PromptReference(type="ref/prompt", name="make_a_voice")
    tool = types.ResourceTemplateReference(type="ref/resource", uri="tool://{tool}")
    told["tools offered"] = (await client.complete(tool, {"name": "tool", "value": "ingest_"})).completion.values
    told["models offered"] = (
        await client.complete(prompt, {"name": "base_model", "value": "Qwen/"})
    ).completion.model_dump()
    told["nothing offered"] = (await client.complete(prompt, {"name": "audio", "value": "/"})).completion.values

    told["prompts"] = [prompt.model_dump() for prompt in (await client.list_prompts()).prompts]
    asked = await client.get_prompt("diagnose_job", {"job_id": "counting-1"})
    told["prompt"] = asked.messages[0].content.text
    told["half a prompt"] = await code_of(client.get_prompt("make_a_voice", {"audio": "a.m4b", "voize": "x"}))
    return told


async def test_every_leg_gives_the_same_answers(app: App, http: HttpServer) -> None:
    unheard = takes_in(app.cwd / "unheard")
    told = {}
    for leg, (_, version) in LEGS.items():
        async with connected(leg, app, http) as client:
            assert client.protocol_version == version
            told[leg] = await story(client, leg, app.cwd / f"gate-{leg}")

    first = told["stdio-2026"]
    assert first["progress"] == [(4, "counting")]
    assert first["left"] is True
    assert first["done"] == {"kind": "counting", "state": "succeeded", "poll_after_s": None}
    assert first["result"] == 4
    assert "did you mean 'up_to'?" in first["misspelt"]
    assert first["no tool"].startswith("unknown_tool:")
    assert first["no job"].startswith("job_unknown:")
    assert first["defect"].startswith("internal_error: crash failed")
    assert [take["audio"] for take in first["how to ask"]["to_rate"]] == [
        str(unheard / "take_1.wav"),
        str(unheard / "take_2.wav"),
    ]
    assert "Never invent scores" in first["how to ask"]["next"]
    assert first["cancelled"] == "cancelled"
    assert first["log"] == ("text/plain", True)
    assert first["plot"][0] == "image/png"
    assert "- weight_decay" in first["help"]
    assert "Did you mean 'start_training'?" in first["no help"][1]
    assert first["no resource"][0] == types.INVALID_PARAMS
    assert first["jobs offered"] is True
    assert first["tools offered"] == ["ingest_audiobook", "ingest_clips"]
    assert first["artifacts offered"] == ["take"]
    assert len(first["models offered"]["values"]) == 2
    assert first["nothing offered"] == []
    assert [prompt["name"] for prompt in first["prompts"]] == ["make_a_voice", "diagnose_job"]
    assert 'get_job job_id="counting-1" log_lines=100' in first["prompt"]
    assert first["half a prompt"] == (
        types.INVALID_PARAMS,
        "bad_arguments: make_a_voice: voice is missing; unknown argument 'voize'.\n"
        "It takes audio, base_model, text, voice.",
    )
    for leg in LEGS:
        assert told[leg] == first, leg


async def test_a_person_rates_takes_through_the_client(app: App, http: HttpServer, leg: str) -> None:
    takes = takes_in(app.cwd / leg)
    person = Person(take_1=4, note="clear")

    async with connected(leg, app, http, elicitation_callback=person) as client:
        answer = await client.call_tool("rate_samples", {"takes": takes.name})

    [form] = person.asked
    assert takes.joinpath("take_1.wav").as_uri() in form.message
    assert "Line 2." in form.message
    assert form.requested_schema["properties"].keys() == {"take_1", "take_2", "note"}
    assert form.requested_schema["properties"]["take_2"]["maximum"] == 5
    stored = [json.loads(line) for line in (takes / "human_ratings.jsonl").read_text().splitlines()]
    assert [(row["audio"], row["score"], row["note"]) for row in stored] == [("take_1.wav", 4, "clear")]
    assert answer.structured_content["recorded"][0]["score"] == 4
    assert answer.structured_content["next"].startswith("Stored. 1 of 2 takes have no score of a person")


@pytest.mark.parametrize(
    ("person", "code"),
    [(Person("decline"), "person_declined"), (Person("cancel"), "person_declined"), (Person(take_1=9), "answer_unfit")],
    ids=["declines", "closes", "misunderstands"],
)
async def test_a_person_who_gives_no_fit_answer_leaves_no_score(
    app: App, http: HttpServer, person: Person, code: str
) -> None:
    folder = takes_in(app.cwd / f"{person.action}-unfit")

    async with http.client(elicitation_callback=person) as client:
        answer = await client.call_tool("rate_samples", {"takes": folder.name})

    assert answer.is_error
    assert words_of(answer).startswith(code)
    assert not (folder / "human_ratings.jsonl").exists()
