"""Tasks that people give an agent, played through a real server by an agent that only does what answers say.

Each request has a limit of calls and tokens (four characters each). Where an agent would be lost, the product is
fixed, not the drill.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from agent import Agent, Answer
from mcp import Client, StdioServerParameters

from jobs.settings import PROJECT_ROOT
from server.demo.steps import CLIP_OF_A_SENTENCE

HERE = Path(__file__).resolve().parent
SAMPLES = PROJECT_ROOT / "samples"
TOY: dict[str, Any] = {"tokenizer": "toy", "base_model": "toy"}
pytestmark = pytest.mark.anyio


def is_file(folder: str, name: str) -> bool:
    """Return True if a file that an answer names exists."""
    return Path(folder, name).is_file()


@dataclass(frozen=True)
class World:
    """One home, a folder with the person's files, and any number of agents."""

    home: Path
    work: Path
    env: dict[str, str]

    @asynccontextmanager
    async def agent(self, **changes: str) -> AsyncIterator[Agent]:
        """A new conversation with a server of its own."""
        command = StdioServerParameters(
            command=sys.executable, args=[str(HERE / "served.py"), "mcp"], env=self.env | changes, cwd=self.work
        )
        async with Client(command) as client:
            agent = Agent(client)
            await agent.look_around()
            yield agent


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio alone."""
    return "asyncio"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, end_processes_of: Callable[[Path], None]) -> Iterator[World]:
    """The person's machine."""
    folder = tmp_path_factory.mktemp("drill")
    work = folder / "work"
    work.mkdir()
    for name in ("fables.m4b", "fables.txt"):
        shutil.copy(SAMPLES / name, work / name)
    home = folder / "home"
    env = {
        "TTS_TRAIN_HOME": str(home),
        "TTS_TRAIN_ENVS": os.environ.get("TTS_TRAIN_ENVS", str(PROJECT_ROOT / ".envs")),
        "TTS_TRAIN_CWD": str(work),
        "TTS_TRAIN_CPU_SLOTS": "2",
        "TTS_TRAIN_DISK_RESERVE_MB": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{PROJECT_ROOT}:{HERE / 'work'}",
        "PYTHONSAFEPATH": "1",
    }
    yield World(home, work, env)
    end_processes_of(home)


@pytest.fixture(scope="module")
async def agent(world: World) -> AsyncIterator[Agent]:
    """The conversation in which most is asked."""
    async with world.agent() as agent:
        yield agent


@pytest.fixture(scope="module")
async def made(agent: Agent) -> dict[str, Answer]:
    """A voice that was made by nothing but following `next`, from an empty home: the finished jobs by tool."""
    wishes: dict[str, dict[str, Any]] = {
        "ingest_audiobook": {"max_duration_s": 30, **CLIP_OF_A_SENTENCE},
        "align": {},
        "convert_codes": {"tokenizer": "toy"},
        "start_training": {"base_model": "toy", "max_steps": 2, "epochs": 1, "samples": 0},
        "synthesize": {},
        "rate_samples": {},
    }
    jobs: dict[str, Answer] = {}
    with agent.within(calls=26, tokens=9000):
        seen = await agent.call("list_jobs")
        tool, arguments = agent.next_call(seen)
        assert tool == "ingest_audiobook"
        arguments |= {"audio": "fables.m4b", "text": "fables.txt"}  # what the person has
        while tool in wishes and tool not in jobs:
            started = await agent.call(tool, **(arguments | wishes[tool]))
            if (started.get("job") or started)["state"] == "not_started":  # the plan is shown to the person, who agrees
                arguments.pop("dry_run")
                started = await agent.call(tool, **(arguments | wishes[tool]))
            jobs[tool] = await agent.poll(started)
            assert jobs[tool]["state"] == "succeeded", jobs[tool]
            if tool == "rate_samples":
                break
            tool, arguments = agent.next_call(jobs[tool])
    return jobs


async def test_make_a_voice_from_this_recording(made: dict[str, Answer]) -> None:
    assert list(made) == [
        "ingest_audiobook", "align", "convert_codes", "start_training", "synthesize", "rate_samples",
    ]  # fmt: skip
    assert is_file(made["start_training"]["result"]["voice"], "model.safetensors")
    assert 1 <= made["rate_samples"]["result"]["mean_rating"] <= 5


async def test_is_it_done_in_a_new_conversation(world: World, made: dict[str, Answer]) -> None:
    async with world.agent() as agent:
        with agent.within(calls=2, tokens=1300):
            seen = await agent.call("list_jobs")
            job = await agent.call("get_job", job_id=seen["jobs"][0]["job_id"])

    assert job["state"] == "succeeded"
    assert job["poll_after_s"] is None


async def test_where_is_the_audio(agent: Agent, made: dict[str, Answer]) -> None:
    with agent.within(calls=2, tokens=900):
        seen = await agent.call("list_jobs", kind="synthesize", limit=1)
        job = await agent.call("get_job", job_id=seen["jobs"][0]["job_id"])

    assert all(is_file(job["result"]["folder"], wav) for wav in job["result"]["wavs"])


async def test_show_me_the_loss_curve(agent: Agent, made: dict[str, Answer]) -> None:
    job_id = made["start_training"]["job_id"]

    with agent.within(calls=2, tokens=1300):
        job = await agent.call("get_job", job_id=job_id, detail=True)
        handle = next(one["handle"] for one in job["artifacts"] if one["kind"] == "plot")
        shown = await agent.call("get_artifact", handle=handle, inline=True)

    assert shown["images"] == 1


async def test_train_again_on_the_dataset_by_its_name(agent: Agent, made: dict[str, Answer]) -> None:
    name = Path(made["ingest_audiobook"]["result"]["dataset"]).name

    with agent.within(calls=1, tokens=1600):
        plan = await agent.call("start_training", manifest=name, base_model="toy", max_steps=3, dry_run=True)

    assert plan["result"]["would_run"]["manifest"] == made["convert_codes"]["result"]["manifest"]
    assert plan["result"]["plan"]["memory"]["peak_gb"] > 0


async def test_speak_with_the_voice_of_that_job(agent: Agent, made: dict[str, Answer]) -> None:
    with agent.within(calls=1, tokens=500):
        plan = await agent.call(
            "synthesize", model=made["start_training"]["job_id"], texts=["Good morning."], dry_run=True
        )

    assert plan["result"]["would_run"]["model"] == made["start_training"]["result"]["voice"]
    assert plan["result"]["estimate"]["time_from"] == "1 earlier here"


async def test_a_manifest_of_the_wrong_step_leads_to_the_right_tool(agent: Agent, made: dict[str, Answer]) -> None:
    with agent.within(calls=2, tokens=1600):
        refused = await agent.call("start_training", manifest=made["align"]["result"]["manifest"], base_model="toy")
        again = await agent.call("start_training", manifest=made["convert_codes"]["job_id"], more=TOY | {"lora_r": 8,
                                 "tokenizer": None}, dry_run=True)  # fmt: skip

    assert refused["error"]["code"] == "manifest_wrong_step"
    assert "convert_codes" in refused["error"]["hint"]
    assert again["error"]["code"] == "bad_arguments"


async def test_a_persons_scores_are_kept(agent: Agent, made: dict[str, Answer]) -> None:
    takes = made["synthesize"]["job_id"]

    with agent.within(calls=2, tokens=600):
        refused = await agent.call("rate_samples", takes=takes, scores=[{"audio": "01.wav", "score": 4}])
        kept = await agent.call("rate_samples", takes=takes, scores=[{"audio": agent.suggestion(refused), "score": 4}])

    assert [one["score"] for one in kept["recorded"]] == [4]


async def test_a_misspelt_tool(agent: Agent) -> None:
    with agent.within(calls=2, tokens=500):
        refused = await agent.call("start_trainig", manifest="x")
        again = await agent.call(agent.suggestion(refused), manifest="unknown", base_model="toy", dry_run=True)

    assert refused["error"]["code"] == "unknown_tool"
    assert again["error"]["code"] == "dataset_unknown"


async def test_a_misspelt_argument(agent: Agent) -> None:
    with agent.within(calls=2, tokens=300):
        refused = await agent.call("strain", batchsize=1)
        again = await agent.call("strain", **{agent.suggestion(refused): 1}, dry_run=True)

    assert refused["error"]["code"] == "bad_arguments"
    assert again["state"] == "not_started"


async def test_all_faults_are_listed_at_once(agent: Agent) -> None:
    with agent.within(calls=1, tokens=350):
        refused = await agent.call("start_training", epochs=0, method="qlora", learning_rate=1, more={"lora_r": "many"})

    message = refused["error"]["message"]
    assert all(word in message for word in ("5 faults", "manifest", "epochs", "method", "'lr'", "lora_r"))


async def test_a_wrong_path_names_the_file_that_was_meant(agent: Agent) -> None:
    with agent.within(calls=2, tokens=900):
        refused = await agent.call("ingest_audiobook", audio="fabels.m4b", voice="other", dry_run=True)
        again = await agent.call("ingest_audiobook", audio=agent.suggestion(refused), voice="other", dry_run=True)

    assert refused["error"]["code"] == "audio_missing"
    assert again["state"] == "not_started"


async def test_a_path_outside_is_refused_with_the_folders_that_are_allowed(agent: Agent, world: World) -> None:
    with agent.within(calls=1, tokens=250):
        refused = await agent.call("ingest_audiobook", audio="/etc/hostname", voice="anna")

    assert refused["error"]["code"] == "path_outside_roots"
    assert str(world.work) in refused["error"]["message"]


async def test_it_ran_out_of_memory_what_now(agent: Agent) -> None:
    failed = await agent.poll(await agent.call("strain", batch_size=4, wait_s=20))

    with agent.within(calls=3, tokens=1100):
        seen = await agent.call("list_jobs", kind="strain", limit=2)
        tool, arguments = agent.next_call(seen)
        done = await agent.poll(await agent.call(tool, **(arguments | {"batch_size": 2}), wait_s=20))

    assert failed["error"]["code"] == "cuda_oom"
    assert "Lower batch_size to 2." in seen["next"]
    assert (tool, arguments) == ("strain", {"batch_size": 4})
    assert done["state"] == "succeeded"


async def test_show_me_the_log_of_the_failed_job(agent: Agent) -> None:
    with agent.within(calls=2, tokens=900):
        seen = await agent.call("list_jobs", state="failed", limit=1)
        job = await agent.call("get_job", job_id=seen["jobs"][0]["job_id"], log_lines=20)

    assert any("delete everything" in line for line in job["log_tail"])
    assert job["untrusted"] == ["error.message", "log_tail"]  # the log may say what it will


async def test_stop_it_and_use_less(agent: Agent, world: World) -> None:
    running = await agent.call("strain", batch_size=16, gate="never")

    with agent.within(calls=4, tokens=900):
        stopped = await agent.call("cancel_job", job_id=running["job_id"])
        tool, arguments = agent.next_call(stopped)
        less = await agent.call(tool, **(arguments | {"batch_size": 1, "gate": str(world.work / "fables.txt")}))
        done = await agent.poll(less)

    assert stopped["state"] == "cancelled"
    assert arguments == {"batch_size": 16, "gate": str(world.work / "never")}
    assert done["state"] == "succeeded"


async def test_the_client_was_closed_while_it_ran(world: World, agent: Agent) -> None:
    gate = world.work / "later"
    async with world.agent() as first:
        started = await first.call("strain", batch_size=1, gate=gate.name)

    with agent.within(calls=4, tokens=1300):
        seen = await agent.call("list_jobs")
        tool, arguments = agent.next_call(seen)
        gate.touch()
        done = await agent.poll(await agent.call(tool, **arguments))

    assert (tool, arguments["job_id"]) == ("get_job", started["job_id"])
    assert done["state"] == "succeeded"


async def test_two_agents_ask_for_the_same_at_once(world: World, agent: Agent) -> None:
    found: list[Answer] = []

    async def ask(asking: Agent) -> None:
        found.append(await asking.call("strain", batch_size=2, gate="fables.txt", wait_s=20))

    async with world.agent() as other, anyio.create_task_group() as group:
        group.start_soon(ask, agent)
        group.start_soon(ask, other)

    assert found[0]["job_id"] == found[1]["job_id"]
    assert [one["state"] for one in found] == ["succeeded", "succeeded"]
    assert sorted(one.get("reused") is True for one in found) == [False, True]


async def test_a_lost_answer_is_asked_for_again(agent: Agent) -> None:
    with agent.within(calls=2, tokens=500):
        first = await agent.call("strain", batch_size=1, idempotency_key="the one", wait_s=20)
        again = await agent.call("strain", batch_size=1, idempotency_key="the one")

    assert again["job_id"] == first["job_id"]
    assert again["reused"] is True


async def test_which_learning_rate(agent: Agent) -> None:
    with agent.within(calls=1, tokens=4500):
        found = await agent.call("web_research_hparams", model_size="1.7b", method="lora", offline=True)

    tool, arguments = agent.next_call(found)
    rate = re.search(r"start_training .*?\blr=(\S+)", found["next"])
    assert tool == "tune_hparams"
    assert arguments["training"]["method"] == "lora"
    assert rate is not None
    assert 1e-6 <= float(rate[1]) <= 1e-3


async def test_what_does_warmup_mean(agent: Agent) -> None:
    with agent.within(calls=1, tokens=250):
        answer = await agent.call("list_jobs", explain="start_training warmup")

    assert "warmup_steps int>=0" in answer["explained"]


async def test_speak_every_night(agent: Agent) -> None:
    with agent.within(calls=4, tokens=1200):
        refused = await agent.call("schedule_job", action="create", name="nightly", tool="strian", cron="0 3 * * *")
        made = await agent.call(
            "schedule_job", action="create", name="nightly", tool=agent.suggestion(refused), cron="0 3 * * *",
            arguments='{"batch_size": 1}',
        )  # fmt: skip
        listed = await agent.call("schedule_job")
        gone = await agent.call("schedule_job", action="delete", name="nightly")

    assert made["schedules"][0]["next_at"].endswith("03:00+00:00")
    assert [one["name"] for one in listed["schedules"]] == ["nightly"]
    assert "deleted" in gone["next"]


async def test_the_disk_is_full(world: World) -> None:
    async with world.agent(TTS_TRAIN_DISK_RESERVE_MB="1000000000") as agent:
        with agent.within(calls=1, tokens=200):
            refused = await agent.call("strain", batch_size=1, reuse=False)

    assert refused["error"]["code"] == "disk_full"
    assert refused["error"]["hint"]


async def test_a_job_id_that_is_lost(agent: Agent) -> None:
    await agent.call("strain", batch_size=1, wait_s=30)

    with agent.within(calls=2, tokens=1300):
        refused = await agent.call("get_job", job_id="training-20200101-000000-0000")
        seen = await agent.call("list_jobs")

    assert refused["error"]["code"] == "job_unknown"
    assert "list_jobs" in refused["error"]["hint"]
    assert seen["jobs"]


async def test_a_chain_is_submitted_at_once(agent: Agent) -> None:
    with agent.within(calls=3, tokens=900):
        first = await agent.call("strain", batch_size=1, reuse=False)
        second = await agent.call("strain", batch_size=2, reuse=False, after=json.dumps([first["job_id"]]))
        done = await agent.call("get_job", job_id=second["job_id"], wait_s=30)

    assert done["state"] == "succeeded"


async def test_a_poll_while_it_runs_is_cheap(agent: Agent, world: World) -> None:
    running = await agent.call("strain", batch_size=1, gate="open", wait_s=0.5)

    with agent.within(calls=1, tokens=400):
        seen = await agent.call("get_job", job_id=running["job_id"], wait_s=1)
    (world.work / "open").touch()
    done = await agent.poll(seen)

    assert seen["poll_after_s"] > 0
    assert done["state"] == "succeeded"


@pytest.fixture(scope="module")
def codes(world: World) -> Path:
    """A dataset with codes, as an earlier day has left it: random ones, two of six clips held out."""
    folder = world.home / "datasets" / "earlier"
    (folder / "clips").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(6):
        soundfile.write(folder / "clips" / f"{number}.wav", 0.1 * rng.standard_normal(48_000), 24_000)
        rows.append({
            "audio": f"clips/{number}.wav", "ref_audio": "clips/0.wav", "text": f"Sentence number {number} is here.",
            "speaker": "anna", "language": "english", "duration_s": 2.0,
            "split": "validation" if number > 3 else "train",
            "audio_codes": rng.integers(0, 256, (25, 16)).tolist(),
        })  # fmt: skip
    path = folder / "train_manifest_qwen3.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


async def test_make_a_voice_from_a_recording_without_its_text(agent: Agent) -> None:
    with agent.within(calls=1, tokens=1700):
        plan = await agent.call("make_voice", audio="fables.m4b", voice="untold", base_model="toy", dry_run=True)

    kinds = [step["tool"] for step in plan["steps"]]
    assert kinds[0] == "ingest_audiobook"
    assert "hisper" in json.dumps(plan), "nobody says who writes the text down"


async def test_clips_with_faults_are_all_told_and_the_others_taken_when_asked(agent: Agent, world: World) -> None:
    shutil.copy(SAMPLES / "fables.m4b", world.work / "a.m4b")
    lines = ['{"audio_file": "a.m4b", "text": "Some words."}', '{"audio_file": "a.m4b"}', "not JSON"]
    (world.work / "clips.jsonl").write_text("\n".join(lines))

    with agent.within(calls=2, tokens=1400):
        refused = await agent.call("ingest_clips", transcripts="clips.jsonl", voice="curated", dry_run=True)
        plan = await agent.call(
            "ingest_clips", transcripts="clips.jsonl", voice="curated", on_error="skip", dry_run=True
        )

    assert refused["error"]["code"] == "manifest_unreadable"
    assert all(word in refused["error"]["message"] for word in ("line 2", "line 3"))
    assert "on_error=skip" in refused["error"]["hint"]
    assert plan["state"] == "not_started"


async def test_search_then_train_refine_and_rate_are_planned_on_one_dataset(agent: Agent, codes: Path) -> None:
    with agent.within(calls=5, tokens=8500):
        search = await agent.call("tune_hparams", manifest="earlier", base_model="toy", n_trials=2, dry_run=True)
        tool, arguments = agent.next_call(search)
        training = await agent.call("start_training", manifest="earlier", base_model="toy", max_steps=2, dry_run=True)
        refine = await agent.call("refine_voice", manifest="earlier", base_model="toy", dry_run=True)
        unmade = await agent.call("rate_samples", takes="earlier", dry_run=True)

    assert (tool, arguments["manifest"], arguments["base_model"]) == ("tune_hparams", "earlier", "toy")
    for plan in (search, training, refine):
        assert plan["state"] == "not_started"
        assert plan["result"]["would_run"]["manifest"] == str(codes)
        assert plan["result"]["would_run"]["base_model"] == "toy"
    assert unmade["error"]["code"] == "takes_missing"
    assert "synthesize" in unmade["error"]["hint"]


async def test_a_step_in_the_middle_of_a_chain_fails(agent: Agent) -> None:
    first = await agent.call("strain", batch_size=1, reuse=False)
    second = await agent.call("strain", batch_size=5, reuse=False, after=[first["job_id"]])
    third = await agent.call("strain", batch_size=2, reuse=False, after=[second["job_id"]])
    ended = await agent.poll(third)

    with agent.within(calls=2, tokens=1500):
        seen = await agent.call("list_jobs", kind="strain", limit=4)
        tool, arguments = agent.next_call(seen)
        plan = await agent.call(tool, **(arguments | {"batch_size": 2, "dry_run": True}))

    assert ended["state"] == "cancelled"
    assert second["job_id"] in json.dumps(ended)
    assert (tool, arguments["batch_size"]) == ("strain", 5)
    assert "Lower batch_size to 2." in seen["next"]
    assert plan["state"] == "not_started"


async def test_progress_then_cancel_then_the_same_call_goes_on(agent: Agent, world: World) -> None:
    running = await agent.call("strain", batch_size=1, gate="go", reuse=False, wait_s=1)
    while "fraction" not in running:  # it is being started
        running = await agent.call("get_job", job_id=running["job_id"], wait_s=1)

    with agent.within(calls=4, tokens=1300):
        seen = await agent.call("get_job", job_id=running["job_id"], wait_s=1)
        stopped = await agent.call("cancel_job", job_id=running["job_id"])
        (world.work / "go").touch()
        again = await agent.follow(stopped, wait_s=20)

    assert (seen["state"], stopped["state"], again["state"]) == ("running", "cancelled", "succeeded")
    assert seen["fraction"] == 0.5
    assert again["job_id"] != running["job_id"]
