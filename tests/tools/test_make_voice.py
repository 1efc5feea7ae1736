"""The whole way in one call: what is submitted, in which order, and what a second call does."""

from __future__ import annotations

import sys
import wave
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from jobs.errors import UserError
from jobs.files.output_marks import Place
from jobs.training.spec import KIND as TRAINING
from tests.support.hostile.recordings import encode
from tools.core.tool_types import StartArgs, ToolContext, parse_time
from tools.core.totals import PlannedStep, begin_text, find_misfits, total
from tools.make_voice import MakeVoiceArgs, make_voice

pytestmark = pytest.mark.anyio

IN_ORDER = ["ingest_audiobook", "align", "convert_codes", "start_training", "synthesize", "rate_samples"]


@pytest.fixture
def book(work: Path) -> Path:
    """A recording by name; nothing decodes it here."""
    (work / "book.txt").write_text("Once upon a time.")
    path = work / "book.m4b"
    path.write_bytes(b"sound")
    return path


def call(**changes: object) -> MakeVoiceArgs:
    """A call for a toy voice. It starts in a year, so that no test runs it."""
    given = {"audio": "book.m4b", "text": "book.txt", "voice": "anna", "base_model": "toy", "not_before": "365d"}
    return MakeVoiceArgs.model_validate(given | changes)


async def test_every_job_waits_for_the_one_before(context: ToolContext, book: Path) -> None:
    answer = await make_voice(call(), context)

    ids = [step.job_id for step in answer.steps]
    waits = [context.runner.get(str(job_id)).detail for job_id in ids]
    assert [step.tool for step in answer.steps] == IN_ORDER
    assert all(f"{before} (queued)" in text for before, text in zip(ids, waits[1:], strict=False))


async def test_each_step_reads_what_the_step_before_writes(context: ToolContext, book: Path) -> None:
    answer = await make_voice(call(dry_run=True), context)

    ingest, align, convert, train, speak, rate = [step.would_run for step in answer.steps]
    assert ingest["audio"] == str(book)
    assert align["manifest"] == f"{ingest['out_dir']}/train_manifest.jsonl"
    assert convert["manifest"] == align["out"]
    assert train["manifest"] == convert["out"]
    assert speak["model"] == f"{train['out_dir']}/voice" == answer.voice
    assert rate["takes"] == f"{speak['out_dir']}/takes.jsonl"
    assert convert["tokenizer"] == "toy"
    assert [bool(step.plan) for step in answer.steps] == [True, True, True, True, False, False]
    assert not context.settings.home.exists()


async def test_another_language_gets_an_aligner_that_knows_it_and_its_download_is_planned(
    context: ToolContext, book: Path
) -> None:
    german = await make_voice(call(dry_run=True, language="german"), context)
    english = await make_voice(call(dry_run=True), context)
    own = {"align.aligner": "auto", "align.align_model": "someone/german"}
    other = await make_voice(call(dry_run=True, language="german", step_arguments=own), context)

    assert german.steps[1].would_run["aligner"] == "whisperx"
    assert german.steps[1].plan == {
        "aligner": {"german": "whisperx VOXPOPULI_ASR_BASE_10K_DE, to be downloaded"}, "download_gb": 0.4,
    }  # fmt: skip
    assert (german.total["download_gb"], english.total["download_gb"]) == (3.5, 0.0)  # with Whisper, 3.1 GB
    assert english.steps[1].plan == {"aligner": {"english": "pocketsphinx"}}
    assert other.steps[1].plan["aligner"] == {"german": "whisperx someone/german, to be downloaded"}


async def test_parameters_of_single_steps_are_given_by_their_tools_names(context: ToolContext, book: Path) -> None:
    given = {"start_training.lora_r": 8, "ingest_audiobook.quality.min_snr_db": 12, "rate_samples.speaker_model": "x/y"}

    answer = await make_voice(call(dry_run=True, method="lora", step_arguments=given), context)

    assert answer.steps[3].would_run["lora_r"] == 8
    assert answer.steps[0].would_run["quality"]["min_snr_db"] == 12
    assert answer.steps[5].would_run["speaker_model"] == "x/y"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"align.out": "elsewhere.jsonl"}, "align takes no 'out' here"),
        ({"align.alinger": "auto"}, "align takes no 'alinger' here"),
        ({"train.lr": 1e-4}, "'train' is no step"),
        ({"align.aligner": "mfa"}, "align: aligner"),
        ({"align.aligner.x": 1}, "align: aligner"),
        ({"align.aligner": "auto", "align.aligner.x": 1}, "has no parts"),
    ],
)
async def test_a_parameter_that_no_step_has_or_that_the_chain_sets_is_refused(
    context: ToolContext, book: Path, given: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message) as refused:
        await make_voice(call(step_arguments=given), context)

    assert refused.value.code == "bad_arguments"


async def test_a_path_among_them_is_held_to_the_allowed_folders(context: ToolContext, book: Path) -> None:
    with pytest.raises(UserError) as refused:
        await make_voice(call(step_arguments={"start_training.encoder_from": "/etc"}), context)

    assert refused.value.code == "path_outside_roots"


async def test_a_dry_run_plans_the_training_for_the_gpu_that_the_call_names(context: ToolContext, book: Path) -> None:
    large = {"base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "dry_run": True}

    answer = await make_voice(call(gpu_memory_gb=16, **large), context)

    train = answer.steps[3]
    assert train.would_run["optimizer"] == "paged_adamw_8bit"
    assert train.plan["memory"]["of"] == "a GPU of 16 GB, not this machine's"
    assert train.plan["memory"]["fits"] is True
    with pytest.raises(UserError, match="a GPU of 6 GB"):
        await make_voice(call(gpu_memory_gb=6, method="full", **large), context)


async def test_a_dry_run_refuses_and_lists_what_would_be_replaced(context: ToolContext, book: Path) -> None:
    out = book.parent / "out"
    training = context.runner.submit(
        TRAINING, TRAINING.params(manifest="m", out_dir=str(out / "training")), not_before=4e9
    ).job.job_id
    (out / "training").mkdir(parents=True)
    (out / "training" / "report.json").write_text("{}")

    with pytest.raises(UserError) as refused:
        await make_voice(call(out_dir="out", dry_run=True), context)
    Place(out / "training", TRAINING.makes["out_dir"], "training.out_dir").claim(training)
    planned = await make_voice(call(out_dir="out", dry_run=True), context)

    assert refused.value.code == "output_not_ours"
    assert [step.replaces for step in planned.steps] == [[], [], [], [str(out / "training" / "report.json")], [], []]


async def test_a_dry_run_names_the_jobs_that_are_there(context: ToolContext, book: Path) -> None:
    first = await make_voice(call(), context)

    planned = await make_voice(call(dry_run=True, wait_s=50), context)

    assert [step.job_id for step in planned.steps] == [step.job_id for step in first.steps]
    assert {step.state for step in planned.steps} == {"queued"}


async def test_the_same_call_again_finds_the_same_jobs(context: ToolContext, book: Path) -> None:
    first = await make_voice(call(), context)
    again = await make_voice(call(), context)

    assert [step.job_id for step in again.steps] == [step.job_id for step in first.steps]
    assert all(step.reused for step in again.steps)


async def test_another_text_makes_all_steps_anew(context: ToolContext, book: Path) -> None:
    first = await make_voice(call(), context)
    (book.parent / "book.txt").write_text("Once upon another time.")

    again = await make_voice(call(), context)

    assert not {step.job_id for step in again.steps} & {step.job_id for step in first.steps}


async def test_other_sentences_make_only_the_last_steps_anew(context: ToolContext, book: Path) -> None:
    await make_voice(call(), context)

    again = await make_voice(call(texts=["Another sentence."]), context)

    assert [bool(step.reused) for step in again.steps] == [True, True, True, True, False, False]


async def test_a_cancelled_step_cancels_the_rest_and_a_new_call_submits_them_again(
    context: ToolContext, book: Path
) -> None:
    first = await make_voice(call(), context)
    context.runner.cancel(str(first.steps[2].job_id))

    states = [context.runner.get(str(step.job_id)) for step in first.steps]
    again = await make_voice(call(), context)

    assert [job.state for job in states] == ["queued", "queued", *["cancelled"] * 4]
    assert [job.reason for job in states[3:]] == ["dependency"] * 3
    assert str(first.steps[2].job_id) in states[-1].detail
    assert [bool(step.reused) for step in again.steps] == [True, True, False, False, False, False]


async def test_a_wrong_file_starts_nothing_at_all(context: ToolContext, work: Path) -> None:
    with pytest.raises(UserError) as refused:
        await make_voice(call(), context)

    assert refused.value.code == "audio_missing"
    assert context.runner.list() == []


@pytest.mark.parametrize("text", ["90 minutes", "tomorrow", "-1h", ""])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a time"):
        StartArgs(not_before=text)


def test_a_time_is_a_span_or_an_iso_time() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)

    assert parse_time("8h", noon) == datetime(2026, 5, 1, 20, tzinfo=UTC)
    assert parse_time("in 2d", noon) == datetime(2026, 5, 3, 12, tzinfo=UTC)
    assert parse_time("2026-12-31T22:00+01:00", noon) == datetime(2026, 12, 31, 21, tzinfo=UTC)


async def test_a_dry_run_totals_all_six_steps(context: ToolContext, work: Path) -> None:
    with wave.open(str(work / "book.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(24_000)
        sound.writeframes(bytes(2 * 24_000 * 60))
    base = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"

    answer = await make_voice(call(audio="book.wav", text=None, base_model=base, dry_run=True), context)

    steps = {step.tool: step for step in answer.steps}
    assert steps["align"].estimate["input"] == steps["convert_codes"].estimate["input"] == "60 s of clips"
    assert steps["rate_samples"].estimate["input"] == "3 takes"
    assert answer.total["download_gb"] == pytest.approx(3.1 + 0.68 + 2.49, abs=0.02)
    assert answer.total["disk_gb"] > steps["start_training"].plan["disk"]["need_gb"] > 15
    assert answer.total["memory_gb"] == pytest.approx(steps["start_training"].plan["memory"]["peak_gb"], abs=0.1)
    assert answer.total["time_unknown_of"] == ["ingest_audiobook"]  # Whisper, which has not run here


async def test_a_dry_run_counts_a_book_in_two_formats_once_and_no_cover(context: ToolContext, work: Path) -> None:
    folder = work / "book"
    folder.mkdir()
    encode(folder / "book.flac", "flac", n_samples=24_000 * 60)
    encode(folder / "book.mp3", "libmp3lame", n_samples=24_000 * 60)
    (folder / "cover.jpg").write_bytes(bytes(800_000))
    python = context.settings.python("ml")
    python.unlink()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')  # with its packages
    python.chmod(0o755)

    answer = await make_voice(call(audio="book", text=None, dry_run=True), context)

    assert [step.estimate.get("input") for step in answer.steps[1:3]] == ["60 s of clips", "60 s of clips"]
    assert answer.steps[0].plan["hours_selected"] == pytest.approx(1 / 60, abs=1e-3)


def test_what_does_not_fit_is_said_before_the_call() -> None:
    plan = {"memory": {"peak_gb": 30.0, "free_gb": 8.0, "fits": False, "cheapest_change": "method=lora"}}
    steps = [PlannedStep("align", {"time_s": 60, "memory_mb": 800, "disk_mb": 1}, {}), PlannedStep("train", {}, plan)]

    found = total(steps, free_gb=50.0)
    text = begin_text('make_voice voice="anna"', list(find_misfits(plan, {})))

    assert found["fits"] is False
    assert found["memory_gb"] == 30.0
    assert found["time_unknown_of"] == found["disk_unknown_of"] == ["train"]
    assert "To start it" not in text
    assert "memory needs 30 GB, and 8 GB are free. Cheapest change: method=lora." in text
