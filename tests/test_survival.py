"""Jobs outlive the MCP server that started them, and a pipeline outlives everything."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from mcp import Client, MCPError, StdioServerParameters

from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
BOUND_S = 240
STEPS = 60


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Four clips of random codes of the toy codec."""
    dice = np.random.default_rng(0)
    soundfile.write(tmp_path / "ref.wav", 0.1 * np.sin(np.arange(48_000) / 20), 24_000)
    rows = [
        {
            "audio": "ref.wav", "ref_audio": "ref.wav", "text": text, "speaker": "slt", "language": "english",
            "audio_codes": dice.integers(0, 256, (20, 16)).tolist(),
        }
        for text in ("hello there", "the quick brown fox", "she said", "that was all")
    ]  # fmt: skip
    path = tmp_path / "train_manifest_qwen3.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def server(folder: Path) -> StdioServerParameters:
    """A server that tells its process id."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "TTS_TRAIN_HOME": str(folder / "home"),
        "TTS_TRAIN_ENVS": os.environ.get("TTS_TRAIN_ENVS", str(ROOT / ".envs")),
        "TTS_TRAIN_CWD": str(folder),
    }
    command = f'echo $$ > "{folder}/server.pid"; exec "{sys.executable}" -m server.cli mcp'
    return StdioServerParameters(command="/bin/sh", args=["-c", command], env=environment)


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return dict(answer.structured_content or {})


async def start_and_kill(folder: Path, manifest: Path) -> str:
    async with Client(server(folder)) as client:
        job = await ask(
            client, "start_training", manifest=str(manifest), base_model="toy", epochs=1000, max_steps=STEPS, lr=1e-3,
            early_stop=0,
        )  # fmt: skip
        while (await ask(client, "get_job", job_id=job["job_id"], wait_s=1)).get("fraction", 0.0) < 0.05:
            pass
        os.kill(int((folder / "server.pid").read_text()), signal.SIGKILL)
        with pytest.raises(MCPError):
            await ask(client, "get_job", job_id=job["job_id"])
    return str(job["job_id"])


async def follow(folder: Path, job_id: str) -> dict[str, Any]:
    async with Client(server(folder)) as client:
        while (seen := await ask(client, "get_job", job_id=job_id, wait_s=20))["poll_after_s"] is not None:
            pass
        return seen


async def story(folder: Path, manifest: Path) -> dict[str, Any]:
    with anyio.fail_after(BOUND_S):
        job_id = await start_and_kill(folder, manifest)
        return await follow(folder, job_id)


def test_a_training_finishes_after_its_server_was_killed(
    tmp_path: Path, manifest: Path, end_processes_of: Callable[[Path], None]
) -> None:
    seen = anyio.run(story, tmp_path, manifest)
    end_processes_of(tmp_path / "home")

    assert seen["state"] == "succeeded"
    assert seen["result"]["steps"] == STEPS
    assert (Path(seen["result"]["voice"]) / "model.safetensors").is_file()


SAMPLES = ROOT / "samples"
PIPELINE = ["ingest_audiobook", "align", "convert_codes", "training", "synthesize", "rate_samples"]


async def submit_all_and_wait_for_the_codes(folder: Path) -> list[str]:
    async with Client(server(folder)) as client:
        answer = await ask(
            client, "make_voice", audio=str(SAMPLES / "fables.m4b"), text=str(SAMPLES / "fables.txt"), voice="slt",
            base_model="toy", max_steps=4, validation_chapters=[2], texts=["The sun was warm."],
        )  # fmt: skip
        ids = [str(step["job_id"]) for step in answer["steps"]]
        while (await ask(client, "get_job", job_id=ids[1], wait_s=1))["state"] != "succeeded":
            pass
        return ids


async def look_once(folder: Path) -> None:
    async with Client(server(folder)) as client:
        await ask(client, "list_jobs")


def test_a_pipeline_finishes_by_itself_after_everything_was_killed_and_one_call_came(
    tmp_path: Path, end_processes_of: Callable[[Path], None]
) -> None:
    """As a reboot does: no process is left, and nobody submits anything again."""
    home = tmp_path / "home"
    ids = anyio.run(submit_all_and_wait_for_the_codes, tmp_path)

    end_processes_of(home)  # server, supervisor, shim and worker of the third job, by SIGKILL
    killed = [job.state for job in reversed(Store(Home(home)).newest(state=None, kind=None, limit=10, before=None))]
    anyio.run(look_once, tmp_path)
    runner = Runner(replace(Settings.from_environment(), home=home))
    last = wait_by_reading(home, ids[-1])

    assert killed[:2] == ["succeeded"] * 2
    assert killed[4:] == ["queued"] * 2
    assert last == "succeeded"
    assert [runner.get(job_id).state for job_id in ids] == ["succeeded"] * 6
    assert [runner.get(job_id).kind for job_id in ids] == PIPELINE
    end_processes_of(home)


def wait_by_reading(home: Path, job_id: str) -> str:
    """Wait for a job without a client, which would see to the supervisor."""
    store, ended = Store(Home(home)), threading.Event()
    for _ in range(BOUND_S * 4):
        row = store.get(job_id)
        assert row is not None
        if row.state in ("succeeded", "failed", "cancelled"):
            return row.state
        ended.wait(0.25)
    raise AssertionError(f"{job_id} did not end in time")
