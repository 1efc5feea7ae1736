"""A voice's folder in the home, which a call leaves open: what dry runs, starts, lists and next calls say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.names import name_of_voice
from jobs.errors import UserError
from jobs.refine_voice.params import Params as Refine
from jobs.runner.store import Store
from jobs.training.params import Params as Training
from jobs.training.spec import KIND as TRAINING
from tools.core.job_view import next_step
from tools.core.registry import all_tools
from tools.core.start import compute_fingerprint
from tools.core.tool_types import ToolContext
from tools.core.views import JobView
from tools.inputs.paths import resolve_paths
from tools.list_jobs import ListJobsArgs, list_jobs

pytestmark = pytest.mark.anyio
BASE = {"base_model": "toy", "not_before": "365d"}


@pytest.fixture
def dataset(context: ToolContext) -> Path:
    """``anna`` in the home, with codes."""
    folder = context.settings.home / "datasets" / "anna"
    folder.mkdir(parents=True)
    row = {"audio": "a.wav", "text": "A line.", "ref_audio": "a.wav", "audio_codes": [[0] * 16] * 125}
    (folder / "train_manifest_qwen3.jsonl").write_text(f"{json.dumps(row)}\n" * 2)
    return folder


async def call(name: str, context: ToolContext, **arguments: Any) -> JobView:
    """The answer of a tool."""
    tool = all_tools()[name]
    base = BASE if "base_model" in tool.args.model_fields else {"not_before": "365d"}
    answer = await tool.run(tool.args(**{**base, **arguments}), context)
    assert isinstance(answer, JobView)
    return answer


def make_voice_in(folder: Path) -> Path:
    """A folder that counts as a voice."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def put_job(context: ToolContext, **fields: Any) -> None:
    """A finished training."""
    row = {
        "id": "training-20260101-000000-0001", "kind": "training", "spec_hash": "", "fingerprint": None,
        "document": json.dumps({"params": {"out_dir": ""}}), "resource": "gpu", "environment": "ml", "max_tries": 1,
        "created_at": 1.0, "priority": 0, "not_before": None, "max_run_s": None, "backend": "local", "memory_mb": None,
    }  # fmt: skip
    store = Store(context.runner.home)
    with store.transaction() as connection:
        store.insert(connection, row, None, ())
        connection.execute("UPDATE jobs SET state = 'succeeded', result = ?", (json.dumps(fields),))


@pytest.mark.parametrize("tool", ["start_training", "refine_voice"])
async def test_a_dry_run_and_the_start_name_the_folder_and_the_same_call_is_the_same_job(
    context: ToolContext, dataset: Path, tool: str
) -> None:
    voices = context.settings.home / "voices"
    parameter, changed = {
        "start_training": ("out_dir", {"epochs": 2}), "refine_voice": ("voice_dir", {"max_iterations": 2})
    }[tool]  # fmt: skip

    planned = await call(tool, context, manifest="anna", dry_run=True)
    started = await call(tool, context, manifest="anna")
    again = await call(tool, context, manifest="anna")
    known = await call(tool, context, manifest="anna", dry_run=True)
    other = await call(tool, context, manifest="anna", dry_run=True, **changed)

    assert planned.result["would_run"][parameter] == str(voices / "anna")
    assert started.next.endswith(f" It writes to {voices / 'anna'}.")
    assert again.job_id == started.job_id == known.result["reuses"]
    assert known.result["would_run"][parameter] == str(voices / "anna")
    assert other.result["would_run"][parameter] == str(voices / "anna-2")
    assert not voices.exists()


async def test_the_call_that_a_cancelled_job_names_leaves_the_folder_open(context: ToolContext, dataset: Path) -> None:
    started = await call("start_training", context, manifest="anna", epochs=3)
    assert started.job_id is not None
    context.runner.cancel(started.job_id)
    record = context.runner.get(started.job_id)

    named = next_step(record, context.runner)
    params = Training.model_validate({**record.params, "out_dir": ""})

    assert "To continue call start_training manifest=" in named
    assert "out_dir" not in named
    row = Store(context.runner.home).get(started.job_id)
    assert row is not None
    assert row.fingerprint == compute_fingerprint(TRAINING.name, params)


async def test_a_given_folder_and_a_schedule_get_no_name(context: ToolContext, dataset: Path, work: Path) -> None:
    given = await call("start_training", context, manifest="anna", out_dir="mine", dry_run=True)
    refined = await call("refine_voice", context, manifest="anna", out_dir="mine", dry_run=True)

    assert given.result["would_run"]["out_dir"] == str(work / "mine")
    assert refined.result["would_run"]["voice_dir"] == ""


async def test_a_name_that_means_another_voice_is_not_taken_and_old_voices_stay_listed(
    context: ToolContext, dataset: Path, work: Path
) -> None:
    home = context.settings.home
    old = make_voice_in(home / "jobs" / "training-20260101-000000-0001" / "out" / "voice")
    put_job(context, voice=str(old), speaker="anna")
    make_voice_in(work / "voices" / "bea" / "voice")

    anna = await call("start_training", context, manifest="anna", dry_run=True)
    bea = await call("start_training", context, manifest="anna", speaker="bea", dry_run=True)
    new = make_voice_in(home / "voices" / "anna-2" / "voice")
    listed = await list_jobs(ListJobsArgs(what="voices"), context)

    assert anna.result["would_run"]["out_dir"] == str(home / "voices" / "anna-2")
    assert bea.result["would_run"]["out_dir"] == str(home / "voices" / "bea-2")
    assert listed.names == {"anna": str(old), "anna-2": str(new), "bea": str(work / "voices" / "bea" / "voice")}
    for name, path in listed.names.items():
        args = Training(manifest=str(dataset / "train_manifest_qwen3.jsonl"), base_model=name)
        assert resolve_paths(args, context.settings, context.runner).base_model == path


async def test_a_voice_with_a_folder_is_listed_once_and_found_by_its_speaker_too(
    context: ToolContext, dataset: Path
) -> None:
    voice = make_voice_in(context.settings.home / "voices" / "book-one" / "voice")
    put_job(context, voice=str(voice), speaker="anna")

    listed = await list_jobs(ListJobsArgs(what="voices"), context)
    args = Training(manifest=str(dataset / "train_manifest_qwen3.jsonl"), base_model="anna")

    assert listed.names == {"book-one": str(voice)}
    assert resolve_paths(args, context.settings, context.runner).base_model == str(voice)


async def test_lists_of_jobs_name_the_voice_not_only_its_dataset(context: ToolContext, dataset: Path) -> None:
    for epochs in (1, 2):
        await call("start_training", context, manifest="anna", speaker="bea", epochs=epochs)
    await call("start_training", context, manifest="anna", out_dir="mine")

    listed = await list_jobs(ListJobsArgs(), context)

    assert [job.about for job in listed.jobs] == ["anna", "bea-2", "bea"]


async def test_the_name_of_a_voice_that_a_job_makes_means_that_voice_and_no_other(
    context: ToolContext, dataset: Path
) -> None:
    voices = context.settings.home / "voices"
    put_job(context, voice=str(make_voice_in(voices / "anna-2" / "voice")), speaker="anna")
    started = await call("start_training", context, manifest="anna")
    assert started.job_id is not None

    with pytest.raises(UserError) as unfinished:
        await call("synthesize", context, model="anna", texts=["A line."])
    awaited = await call("synthesize", context, model="anna", texts=["A line."], after=[started.job_id], dry_run=True)

    assert unfinished.value.code == "job_unfinished"
    assert started.job_id in unfinished.value.message
    assert awaited.result["would_run"]["model"] == str(voices / "anna" / "voice")


async def test_an_unknown_voice_is_refused_with_the_voices_that_there_are(context: ToolContext, dataset: Path) -> None:
    put_job(context, voice=str(make_voice_in(context.settings.home / "jobs" / "old" / "out" / "voice")), speaker="cea")
    for name in ("anna", "bea"):
        make_voice_in(context.settings.home / "voices" / name / "voice")

    with pytest.raises(UserError, match=r"no voice\. Did you mean 'anna'\? Known: anna, bea, cea\."):
        await call("synthesize", context, model="ana", texts=["A line."])


@pytest.mark.parametrize(
    ("speaker", "manifest", "name"),
    [
        ("anna", "/d/datasets/book/train_manifest_qwen3.jsonl", "anna"),
        ("", "/d/datasets/book/train_manifest_qwen3.jsonl", "book"),
        ("", "/d/voices/bea/dataset/train_manifest_qwen3.jsonl", "bea"),
        ("", "/d/Das Käuzchen (1)/m.jsonl", "Das-K-uzchen-1"),
        ("", "/home/jobs/convert_codes-20260101-000000-0001/out/m.jsonl", "voice"),
        ("", "/m.jsonl", "voice"),
    ],
)
def test_a_voice_is_named_by_its_speaker_or_its_dataset(speaker: str, manifest: str, name: str) -> None:
    assert name_of_voice(speaker, Path(manifest)) == name


def test_a_parameter_that_came_later_is_part_of_a_call_only_where_it_is_given() -> None:
    old = Refine(manifest="/m.jsonl")
    new = old.model_copy(update={"voice_dir": "/v"})

    assert "voice_dir" not in old.identity()
    assert new.identity() == old.identity() | {"voice_dir": "/v"}
    assert set(Training(manifest="/m.jsonl").identity()) == set(Training.model_fields)
