"""The tool that corrects: it stores at once, and refuses what it does not know."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jobs.dataset.corrections.record import Change, Part, read_corrections
from jobs.dataset.manifest import Clip, Rejection, Source, read_rows, write_rows
from jobs.errors import UserError
from jobs.ingest_clips import params as ingest_clips
from jobs.ingest_clips.spec import KIND as INGEST_CLIPS
from jobs.runner.outputs import find_places, seal
from jobs.runner.paths import Home
from jobs.runner.store import Store
from tools.apply_corrections import ApplyCorrectionsArgs, apply_corrections
from tools.core.registry import all_tools
from tools.core.tool_types import ToolContext

pytestmark = pytest.mark.anyio


@pytest.fixture
def dataset(work: Path) -> Path:
    """A dataset by the name ``anna``: one clip, and one rejection without a file."""
    folder = work / "datasets" / "anna"
    folder.mkdir(parents=True)
    place = Source(recording="book.m4b", start_s=1.0, end_s=5.0)
    write_rows(folder / "train_manifest.jsonl", [Clip(audio="clips/0.wav", text="Wrong.", source=place)])
    gap = Source(recording="book.m4b", start_s=5.0, end_s=7.5)
    write_rows(folder / "rejections.jsonl", [Rejection(source=gap, reason="not_in_text")])
    return folder


def change(clip: str = "clips/0.wav", **part: str) -> Change:
    return Change(clip=clip, parts=[Part(text="Right.")])


async def test_corrections_are_stored_with_who_said_them(context: ToolContext, dataset: Path) -> None:
    args = ApplyCorrectionsArgs(manifest="anna", changes=[change()], who="Ada", only_store=True)

    answer = await apply_corrections(args, context)

    (said,) = read_corrections(dataset / "corrections.jsonl")
    assert answer.job is None
    assert answer.recorded == [said]
    assert (said.who, said.clip, said.audio, said.action, said.parts[0].text) == (
        "Ada", "book.m4b@1.000-5.000", "clips/0.wav", "change", "Right.",
    )  # fmt: skip
    assert answer.next == 'Stored. To apply them call apply_corrections manifest="anna"'


async def test_a_rejection_is_named_by_its_place(context: ToolContext, dataset: Path) -> None:
    keep = Change(clip="book.m4b@5.000-7.500", action="keep")

    answer = await apply_corrections(ApplyCorrectionsArgs(manifest="anna", changes=[keep], only_store=True), context)

    assert [one.clip for one in answer.recorded] == ["book.m4b@5.000-7.500"]


async def test_of_a_call_with_an_unknown_clip_nothing_is_stored(context: ToolContext, dataset: Path) -> None:
    args = ApplyCorrectionsArgs(manifest="anna", changes=[change(), change("clips/9.wav")], only_store=True)

    with pytest.raises(UserError, match=r"clips/9\.wav") as error:
        await apply_corrections(args, context)

    assert error.value.code == "clip_unknown"
    assert not (dataset / "corrections.jsonl").exists()


async def test_a_dry_run_stores_nothing_and_names_what_would_be_written_over(
    context: ToolContext, dataset: Path
) -> None:
    for name in ("train_manifest.jsonl", "rejections.jsonl"):
        assert (dataset / name).exists()

    answer = await apply_corrections(
        ApplyCorrectionsArgs(manifest="anna", changes=[change()], only_store=True, dry_run=True), context
    )

    assert answer.next == "Nothing was stored. Call again without dry_run."
    assert not (dataset / "corrections.jsonl").exists()


async def test_a_manifest_that_no_job_made_is_not_replaced(context: ToolContext, dataset: Path) -> None:
    args = ApplyCorrectionsArgs(manifest="anna", changes=[change()])

    with pytest.raises(UserError) as error:
        await apply_corrections(args, context)

    assert error.value.code == "output_not_ours"


async def test_the_job_corrects_a_dataset_that_a_job_made_and_a_new_ingest_may_still_replace_it(
    context: ToolContext, dataset: Path
) -> None:
    params = ingest_clips.Params(
        audio_dir=str(dataset), transcripts=str(dataset / "list.csv"), voice="anna", out_dir=str(dataset)
    )
    make_ingest_job(context, params)
    python = context.settings.envs / "ml" / "bin" / "python"
    python.unlink()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')  # a link would not find the packages
    python.chmod(0o755)
    args = ApplyCorrectionsArgs(manifest="anna", changes=[change()], wait_s=50)

    answer = await apply_corrections(args, context)

    (row,) = read_rows(dataset / "train_manifest.jsonl", Clip)
    assert (answer.job.state, answer.then) == ("succeeded", []), answer.job.error
    assert (answer.job.result["n_changed"], answer.job.result["problems"]) == (1, [])
    assert (row.text, row.audio) == ("Right.", "clips/0.wav")
    assert context.runner.check(INGEST_CLIPS, params)[0] is None, "what the correction wrote is ours"


def make_ingest_job(context: ToolContext, params: ingest_clips.Params) -> None:
    """Add an ingest to the store that has made the dataset."""
    home = Home(context.settings.home)
    job_id, document = "ingest_clips-20260101-000000-0001", json.dumps({"params": params.model_dump(mode="json")})
    row = {"id": job_id, "kind": "ingest_clips", "spec_hash": "", "document": document, "resource": "cpu",
           "environment": "ml", "max_tries": 1, "created_at": 1.0, "state": "succeeded", "attempt": 1,
           "ended_at": 2.0}  # fmt: skip
    store = Store(home)
    with store.transaction() as connection:
        store.insert(connection, row, None)
    places = find_places(INGEST_CLIPS, params, context.settings.home)
    for place in places:
        place.claim(job_id)
    seal(places, job_id)


def test_it_is_the_tool_of_its_kind() -> None:
    tool = all_tools()["apply_corrections"]

    assert tool.kind is not None
    assert tool.args is ApplyCorrectionsArgs
