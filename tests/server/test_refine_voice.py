"""refine_voice through a real MCP client, automatic and with a person: one round each of a toy that makes sound."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from jobs.rate_samples.anchors import read_bundled_voice
from tests.support.toy import training_data

if TYPE_CHECKING:
    from conftest import App

pytestmark = pytest.mark.anyio
BOUND_S = 900.0  # the machine may be busy
TEXT = "the fox ran home with the dog"


@pytest.fixture(scope="module")
def loop(app: App) -> dict[str, Any]:
    """Arguments of a loop of one round of two steps."""
    manifest = training_data.write_manifest(app.cwd, read_bundled_voice())
    base = training_data.make_base(app.cwd / "base")
    return {
        "manifest": str(manifest), "base_model": str(base), "texts": [TEXT], "max_iterations": 1,
        "training": {"lr": 1e-3, "batch_size": 4},
        "more": {"steps_per_iteration": 2, "takes_per_text": 2, "anchor_clips": 0, "zero_shot": False},
    }  # fmt: skip


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The answer of a tool."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer
    assert answer.structured_content is not None
    return dict(answer.structured_content)


async def ended(client: Client, job_id: str) -> dict[str, Any]:
    """The job, once it has ended well."""
    deadline = time.monotonic() + BOUND_S
    while True:
        job = await call(client, "get_job", job_id=job_id)
        if job["state"] not in ("queued", "starting", "running"):
            assert job["state"] == "succeeded", job
            return job
        assert time.monotonic() < deadline
        await anyio.sleep(0.5)


async def test_a_person_scores_in_chat(app: App, loop: dict[str, Any]) -> None:
    out = app.cwd / "with a person"
    async with app.client() as client:
        asked = loop | {"rating": "person", "more": loop["more"] | {"out_dir": str(out)}}
        job_id = (await call(client, "refine_voice", **asked))["job_id"]
        deadline = time.monotonic() + BOUND_S
        while "waits for a person" not in str((await call(client, "get_job", job_id=job_id)).get("progress")):
            assert time.monotonic() < deadline
            await anyio.sleep(0.5)
        takes = out / "evaluations" / "iteration_1" / "takes.jsonl"
        lines = [json.loads(line) for line in takes.read_text().splitlines()]
        scores = [{"audio": line["audio"], "score": score} for line, score in zip(lines, (4, 5), strict=True)]
        await call(client, "rate_samples", takes=str(takes), scores=scores)

        result = (await ended(client, job_id))["result"]

    assert (result["rating"], result["threshold_met"]) == (4.5, True)
    assert_the_tree_of_the_original(out, n_takes=2)
    told = json.loads((takes.parent / "evaluation.json").read_text())
    assert (told["rated_by"], [sample["rating"] for sample in told["samples"]]) == ("person", [4.0, 5.0])


def assert_the_tree_of_the_original(out: Path, n_takes: int) -> None:
    """checkpoints/iteration_N, evaluations/iteration_N with eval_NN.wav and evaluation.json, final_model."""
    assert (out / "checkpoints" / "iteration_1").is_dir()
    evaluation = out / "evaluations" / "iteration_1"
    told = json.loads((evaluation / "evaluation.json").read_text())
    assert [sample["audio"] for sample in told["samples"]] == [f"eval_{number:02d}.wav" for number in range(n_takes)]
    assert all((evaluation / sample["audio"]).stat().st_size > 44 for sample in told["samples"])
    assert (out / "final_model" / "config.json").is_file()
    assert (out / "report.html").is_file()
