"""The ``next`` of every tool and state names calls that are accepted, about the same data, model and voice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.runner.call_text import GAP, LONGEST_CALL, call_text
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import all_kinds
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import PROJECT_ROOT, Settings
from jobs.training.params import TOY_LIMITS
from tests.support.next_calls import calls_in
from tools.core.estimate import estimate
from tools.core.job_view import next_step
from tools.core.registry import all_tools
from tools.core.start import prepare
from tools.core.tool_types import StartArgs, ToolContext
from tools.inputs.arguments import parse_arguments
from tools.inputs.paths import resolve_paths

pytestmark = pytest.mark.anyio
STATES = ("queued", "starting", "running", "interrupted", "succeeded", "failed", "cancelled")
CLIP = {"audio": "clips/a.wav", "text": "A line.", "duration_s": 3.0, "speaker": "anna"}
CODES = {"audio_codes": [[0] * 16] * 4, "ref_audio": "clips/a.wav", "words": []}


@pytest.fixture
def folder(work: Path) -> Path:
    """A dataset in all steps, takes, and a voice without weights."""
    shutil.copy(PROJECT_ROOT / "samples" / "fables.m4b", work / "book.m4b")
    (work / "clips").mkdir()
    shutil.copy(PROJECT_ROOT / "samples" / "fables.txt", work / "book.txt")
    (work / "clips.jsonl").write_text('{"audio_file": "a.wav", "text": "A line."}\n')
    data = work / "datasets" / "anna"
    (data / "clips").mkdir(parents=True)
    for name, more in (("train_manifest", {}), ("train_aligned", {"words": []}), ("train_manifest_qwen3", CODES)):
        (data / f"{name}.jsonl").write_text((json.dumps(CLIP | more) + "\n") * 5)
    (work / "takes.jsonl").write_text('{"audio": "001.wav", "text": "A line."}\n')
    (work / "best.json").write_text('{"hyperparameters": {"lr": 1e-5}}')
    (work / "voice").mkdir()
    (work / "voice" / "config.json").write_text("{}")
    return work


def done(folder: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Parameters and result of a job of every kind that has a tool."""
    data, voice = folder / "datasets" / "anna", str(folder / "voice")
    ingested, aligned, coded = (
        str(data / f"{name}.jsonl") for name in ("train_manifest", "train_aligned", "train_manifest_qwen3")
    )
    dataset = {"manifest": ingested, "kept_s": 90.0, "n_rejected": 2, "report": str(data / "report.html")}
    trained = {"voice": voice, "speaker": "anna", "first_loss": 9.0, "last_loss": 8.0, "voice_step": 4}
    search = {"manifest": coded, "base_model": "toy", "training": {"method": "lora"}}
    return {
        "setup": ({}, {}),
        "ingest_audiobook": ({"audio": str(folder / "book.m4b"), "voice": "anna", "text": str(folder / "book.txt")},
                             dataset),
        "ingest_clips": ({"audio_dir": str(folder / "clips"), "transcripts": str(folder / "clips.jsonl")}, dataset),
        "apply_corrections": ({"manifest": ingested, "out_dir": str(data)}, {"manifest": ingested}),
        "align": ({"manifest": ingested, "out": aligned}, {"manifest": aligned}),
        "convert_codes": ({"manifest": aligned, "out": coded, "tokenizer": "toy"}, {"manifest": coded}),
        "training": ({"manifest": coded, "base_model": "toy", "speaker": "anna", "lr": 1e-4}, trained),
        "synthesize": ({"model": voice, "texts": ["A line."], "out_dir": str(folder)},
                       {"takes": str(folder / "takes.jsonl"), "folder": str(folder)}),
        "rate_samples": ({"takes": str(folder / "takes.jsonl"), "narrator_manifest": ingested,
                          "out": str(folder / "ratings.json")}, {"report": str(folder / "report.html")}),
        "serve_voice": ({"voices": [voice]}, {"url": "http://127.0.0.1:1/v1"}),
        "narrate": ({"model": voice, "text": str(folder / "book.txt"), "out_dir": str(folder / "read")},
                    {"audiobook": str(folder / "read" / "book.m4b"), "report": str(folder / "read" / "report.html"),
                     "n_doubtful": 2}),
        "publish_voice": ({"model": voice, "out_dir": str(folder / "published")},
                          {"folder": str(folder / "published"), "address": None}),
        "publish_dataset": ({"manifest": ingested, "out_dir": str(folder / "published")},
                            {"folder": str(folder / "published"), "address": None}),
        "tune_hparams": (search, {"manifest": coded, "best_config": str(folder / "best.json"), "voice": voice}),
        "refine_voice": ({"manifest": coded, "base_model": "toy"},
                         {"voice": voice, "best_iteration": 1, "report": str(folder / "report.html")}),
    }  # fmt: skip


@pytest.fixture
def insert(settings: Settings) -> Callable[..., str]:
    """Write a job into the store: kind, state, parameters, result, and more of its row."""
    home, seen = Home(settings.home), iter(range(1000))
    settings.home.mkdir()

    def insert(
        kind: str, state: str, params: object, result: object = None, key: str | None = None,
        after: Sequence[str] = (), **row: Any,
    ) -> str:  # fmt: skip
        job_id = f"{kind}-20260101-000000-{next(seen):04x}"
        fields = {"id": job_id, "kind": kind, "spec_hash": "", "document": json.dumps({"params": params}),
                  "resource": "cpu", "environment": "ml", "max_tries": 1, "created_at": 1.0, "state": state,
                  "result": json.dumps(result) if result is not None else None}  # fmt: skip
        with Store(home).transaction() as connection:
            Store(home).insert(connection, fields | row, key, after)
        return job_id

    return insert


@pytest.fixture
def quiet(settings: Settings) -> ToolContext:
    """What tools get, without a supervisor that would look at the jobs of the test."""
    return ToolContext(settings, Runner(settings, starts_supervisor=False))


def check_calls(text: str, context: ToolContext) -> list[tuple[str, dict[str, Any]]]:
    """Check that each call in a text is one that its tool takes, with files that are there; return them."""
    calls = list(calls_in(text, list(all_tools())))
    for name, given in calls:
        tool = all_tools()[name]
        gaps = {word: _fill(word) for word in all_tools()[name].args.model_fields if f"{word}={GAP}" in text}
        args = parse_arguments(tool.args, {**gaps, **given}, tool=name)
        if tool.kind is not None and isinstance(args, StartArgs) and "scores" not in args.model_fields_set:
            _prepare(tool.kind.name, args, context)
        elif name == "get_job":
            context.runner.get(given["job_id"])
    return calls


def _fill(word: str) -> object:
    return {"scores": [{"audio": "001.wav", "score": 4}], "text": "book.txt"}.get(word, "anna")


def _prepare(kind: str, args: StartArgs, context: ToolContext) -> None:
    """Resolve and check the parameters as a start does; the voice of these tests has no weights to look at."""
    try:
        prepare(all_kinds()[kind], args, context)
    except UserError as error:
        if not (
            kind in ("synthesize", "narrate", "serve_voice", "publish_voice") and error.code == "model_without_weights"
        ):
            raise


@pytest.mark.parametrize("state", STATES)
async def test_the_next_of_every_job_is_accepted_and_about_the_same_things(
    state: str, folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    kinds = done(folder)
    assert set(kinds) == {kind.name for kind in all_kinds().values() if kind.tool is not None}
    for kind, (params, result) in kinds.items():
        whole = all_kinds()[kind].params.model_validate(params).model_dump(mode="json")
        job_id = insert(kind, state, whole, result if state == "succeeded" else None)

        calls = check_calls(next_step(quiet.runner.get(job_id), quiet.runner), quiet)

        assert calls or kind in ("setup", "apply_corrections", "publish_voice", "publish_dataset")
        for _, given in calls:
            assert given.get("job_id", job_id) == job_id
            assert given.get("base_model", whole.get("base_model", "toy")) == whole.get("base_model", "toy")
            assert (
                Path(given.get("manifest", folder / "datasets" / "anna" / "x")).parent == folder / "datasets" / "anna"
            )
            assert given.get("model", str(folder / "voice")) == str(folder / "voice")


def chain(insert: Callable[..., str]) -> Iterator[str]:
    """A failed job and the two that waited for it."""
    failure = json.dumps({"code": "cuda_oom", "message": "No memory left.", "hint": "Lower batch_size to 2."})
    failed = insert("training", "failed", {"manifest": "/m", "base_model": "toy"}, failure=failure, reason="exit")
    yield failed
    for kind in ("synthesize", "rate_samples"):
        detail = f"needs {failed}, which failed (exit): no memory"
        yield insert(kind, "cancelled", {}, reason="dependency", detail=detail, after=[failed])


async def test_after_a_failed_chain_the_failed_job_is_pointed_at(
    insert: Callable[..., str], quiet: ToolContext
) -> None:
    failed, _, last = chain(insert)

    listed = await call("list_jobs", quiet)

    assert listed.next.startswith(f"{failed} (failed): Lower batch_size to 2. It was a step of several, and the rest")
    assert listed.next.endswith('The call was: start_training manifest="/m" base_model="toy".')
    assert calls_of(next_step(quiet.runner.get(last), quiet.runner)) == [("get_job", {"job_id": failed})]


@pytest.mark.parametrize("state", ["running", "succeeded"])
async def test_a_refinement_speaks_for_its_rounds(
    state: str, folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    params, result = done(folder)["refine_voice"]
    parent = insert("refine_voice", state, params, result)
    child = insert("rate_samples", "succeeded", {"takes": "/t"}, {}, key=f"child:{parent}:rate-2")

    listed = await call("list_jobs", quiet)

    assert listed.next.startswith(f"{parent} ({state}): ")
    assert calls_of(next_step(quiet.runner.get(child), quiet.runner)) == [("get_job", {"job_id": parent})]
    if state == "succeeded":
        assert "round 1's" in listed.next


async def test_the_training_after_a_search_is_of_the_searched_base(
    folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    params, result = done(folder)["tune_hparams"]
    job_id = insert("tune_hparams", "succeeded", params, result)

    [(tool, given)] = check_calls(next_step(quiet.runner.get(job_id), quiet.runner), quiet)

    assert tool == "start_training"
    assert given == {"manifest": params["manifest"], "base_model": "toy", "hyperparams": result["best_config"]}


async def test_a_voice_that_is_gone_and_one_that_learnt_nothing_are_not_recommended(
    folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    params, result = done(folder)["training"]
    gone = insert("training", "succeeded", params, result | {"voice": str(folder / "gone")})
    flat = insert("training", "succeeded", params, result | {"last_loss": 9.1})

    assert calls_of(next_step(quiet.runner.get(gone), quiet.runner)) == []
    assert next_step(quiet.runner.get(flat), quiet.runner).startswith(f"{TOY_LIMITS} The loss did not fall (9 to 9.1)")


async def test_other_answers_name_calls_that_are_accepted(
    folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    book = {"audio": "book.m4b", "voice": "anna", "text": "book.txt"}
    answers: list[tuple[str, Mapping[str, Any]]] = [
        ("list_jobs", {}),
        ("list_jobs", {"explain": "align"}),
        ("make_voice", {**book, "base_model": "toy", "dry_run": True}),
        ("align", {"manifest": "anna", "out": "aligned.jsonl", "dry_run": True}),
        ("start_training", {"manifest": "anna", "base_model": "toy", "dry_run": True}),
        ("rate_samples", {"takes": "takes.jsonl"}),
        ("apply_corrections", {"manifest": "anna", "only_store": True}),
        ("web_research_hparams", {"offline": True}),
        ("schedule_job", {"action": "list"}),
    ]
    for name, given in answers:
        answer = await call(name, quiet, **given)
        for tool, arguments in check_calls(answer.next, quiet):
            if tool == name:
                assert arguments == {
                    word: value for word, value in given.items() if word not in ("dry_run", "only_store")
                }


def test_a_long_call_leaves_its_longest_values_to_the_reader() -> None:
    text = call_text("synthesize", {"model": "anna", "texts": ["A line. " * 30] * 9, "seed": 1})

    assert text == 'synthesize model="anna" texts=… seed=1'
    assert len(text) < LONGEST_CALL


async def call(name: str, context: ToolContext, **arguments: Any) -> Any:
    """The answer of a tool."""
    tool = all_tools()[name]
    return await tool.run(tool.args(**arguments), context)


def calls_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The calls that a text names."""
    return list(calls_in(text, list(all_tools())))


async def test_lists_say_what_a_job_is_about_and_who_has_started_it(
    folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    jobs = done(folder)
    parent = insert("refine_voice", "succeeded", *jobs["refine_voice"])
    insert("training", "succeeded", *jobs["training"], key=f"child:{parent}:train-1")
    insert("synthesize", "failed", {"model": str(folder / "voices" / "horus" / "training" / "voice")})
    insert("align", "failed", {"manifest": str(folder / "datasets" / "anna" / "train_manifest.jsonl")})

    listed = await call("list_jobs", quiet)

    assert [(job.kind, job.about, job.parent) for job in listed.jobs] == [
        ("align", "anna", None), ("synthesize", "horus", None), ("training", "anna", parent),
        ("refine_voice", "anna", None),
    ]  # fmt: skip


async def test_names_of_datasets_and_voices_are_listed_those_in_jobs_folders_too(
    folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    params, result = done(folder)["training"]
    insert("training", "succeeded", params, result | {"speaker": "horus"})

    voices = await call("list_jobs", quiet, what="voices")
    datasets = await call("list_jobs", quiet, what="datasets")
    spoken = resolve_paths(all_tools()["synthesize"].args(model="horus", texts=["A."]), quiet.settings, quiet.runner)

    assert voices.names == {"horus": str(folder / "voice")}
    assert datasets.names == {"anna": str(folder / "datasets" / "anna")}
    assert spoken.model == str(folder / "voice")
    insert("training", "succeeded", params, result | {"speaker": "horus", "voice": str(folder / "takes")})
    (folder / "takes").mkdir()
    (folder / "takes" / "config.json").write_text("{}")
    with pytest.raises(UserError, match="may be any of"):
        resolve_paths(spoken.model_copy(update={"model": "horus"}), quiet.settings, quiet.runner)


async def test_a_misspelt_kind_names_the_one_that_was_meant(insert: Callable[..., str], quiet: ToolContext) -> None:
    insert("foreign_work", "failed", {})

    with pytest.raises(UserError, match="Did you mean 'training'"):
        await call("list_jobs", quiet, kind="trainig")
    assert [job.kind for job in (await call("list_jobs", quiet, kind="foreign_work")).jobs] == ["foreign_work"]


async def test_a_dry_run_lists_no_setting_that_has_no_effect(folder: Path, quiet: ToolContext) -> None:
    book = {"audio": "book.m4b", "voice": "anna", "out_dir": "out", "dry_run": True}

    by_text = await call("ingest_audiobook", quiet, **book, text="book.txt")
    by_ear = await call("ingest_audiobook", quiet, **book)

    assert not [name for name in by_text.result["would_run"] if name.startswith("whisper")]
    assert by_ear.result["would_run"]["whisper_model"] == "large-v3"


async def test_an_estimate_by_earlier_jobs_takes_parameters_of_any_version(
    folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    for kind, (given, result) in done(folder).items():
        rule = all_kinds()[kind].cost
        if rule is None:
            continue
        params = all_kinds()[kind].params.model_validate(given).model_dump(mode="json")
        shown = {name: value for name, value in params.items() if value is not None}
        insert(kind, "succeeded", params, result, started_at=1.0, ended_at=11.0)
        insert(kind, "succeeded", {}, result, started_at=1.0, ended_at=11.0)

        found = estimate(all_kinds()[kind], shown, quiet.runner, quiet.settings)

        assert rule.is_same_way(params, shown)
        if rule.way is not None:
            assert not rule.is_same_way({}, shown)
        assert not found or found["time_from"] == "1 earlier here"


async def test_what_a_job_is_about_to_make_is_named_and_may_be_waited_for(
    folder: Path, insert: Callable[..., str], quiet: ToolContext
) -> None:
    out = folder / "datasets" / "horus"
    params = done(folder)["ingest_clips"][0] | {"out_dir": str(out), "voice": "horus"}
    ingest = insert("ingest_clips", "running", params)

    for named in ("horus", str(out / "train_manifest.jsonl")):
        with pytest.raises(UserError, match=f"{ingest} .running. makes it") as refused:
            await call("align", quiet, manifest=named, dry_run=True)
        assert refused.value.code == "job_unfinished"
        assert f'after=["{ingest}"]' in refused.value.hint
    plan = await call("align", quiet, manifest="horus", after=[ingest], dry_run=True)
    assert plan.result["would_run"]["manifest"] == str(out / "train_manifest.jsonl")


async def test_the_list_says_what_of_the_installation_is_missing(quiet: ToolContext, tmp_path: Path) -> None:
    without = ToolContext(replace(quiet.settings, envs=tmp_path / "none"), quiet.runner)

    answer = await call("list_jobs", without, what="installation")

    assert "missing environment ml: not made" in " ".join(answer.explained.split())
    assert answer.next == "Call setup."
