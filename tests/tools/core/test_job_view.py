"""What is shown of a job in each of its states, also in those that are hard to reach by running one."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from jobs.runner.models import Artifact, Failure, JobRecord, Progress
from jobs.runner.paths import Home
from tools.core.answer_fields import answer_fields
from tools.core.job_view import progress_text, view_job, wait_for
from tools.core.registry import find_tool
from tools.core.tool_types import ToolContext
from tools.core.views import JobView

JOB = "training-20261122-131144-7f3a"


@dataclass
class Kept:
    """The runner's reading side, with what it would have read from disk."""

    newest: Progress | None = None
    lines: list[str] = field(default_factory=list)
    made: list[Artifact] = field(default_factory=list)
    home: Home = field(default_factory=lambda: Home(Path("/nonexistent")))

    def progress(self, job_id: str) -> Progress | None:
        """Newest progress."""
        return self.newest

    def log_tail(self, job_id: str, n_lines: int) -> list[str]:
        """Newest lines."""
        return self.lines[-n_lines:]

    def list(self, **wanted: object) -> list[JobRecord]:
        """No other jobs."""
        return []

    def artifacts(self, job_id: str) -> Sequence[Artifact]:
        """Published so far."""
        return self.made


def record(state: str, **fields: object) -> JobRecord:
    """A job in a state."""
    known = {"job_id": JOB, "kind": "training", "state": state, "created_at": time.time() - 200}
    return JobRecord.model_validate(known | fields)


def view(job: JobRecord, kept: Kept, log_lines: int | None = None) -> JobView:
    """Show it."""
    return view_job(job, kept, log_lines)


def test_a_running_job_shows_progress_rest_and_four_lines() -> None:
    newest = Progress(at=time.time(), done=50, total=200, message="training", metrics={"loss": 2.123456})
    kept = Kept(newest, [f"line {number} " + "x" * 400 for number in range(50)])

    shown = view(record("running", started_at=time.time() - 100), kept)

    assert shown.progress == "50/200 training loss=2.123"
    assert shown.fraction == 0.25
    assert shown.eta_s == pytest.approx(300, abs=5)
    assert shown.poll_after_s == 50
    assert [line[:8] for line in shown.log_tail] == [f"line {n} " for n in range(46, 50)]
    assert max(len(line) for line in shown.log_tail) == 120
    assert answer_fields(shown)["untrusted"] == ["progress", "log_tail"]
    assert shown.next == f'Running; no action needed. Call get_job job_id="{JOB}" wait_s=50 until it is finished.'
    assert len(shown.model_dump_json()) / 4 < 400


def test_a_queued_job_says_what_it_waits_for() -> None:
    shown = view(record("queued", detail="waits for the gpu: training-1 runs"), Kept())

    assert shown.progress == "waits for the gpu: training-1 runs"
    assert shown.poll_after_s == 10
    assert shown.eta_s is None


def test_a_succeeded_job_names_the_next_call_with_its_own_values() -> None:
    made = [Artifact(job_id=JOB, name="voice", kind="voice", path="/", size_bytes=10, sha256="0" * 64)]
    job = record("succeeded", result={"voice": "/", "speaker": "horus"}, started_at=100.0, ended_at=160.0)

    shown = view(job, Kept(Progress(at=1, done=200, total=200), ["a line"], made))

    assert shown.poll_after_s is None
    assert shown.elapsed_s == 60
    assert shown.next.startswith('Call synthesize model="/" speaker="horus" texts=["')
    assert shown.log_tail == []
    assert shown.artifacts[0].handle == f"artifact://{JOB}/voice"
    assert shown.artifacts[0].path == ""  # the result has it
    assert shown.artifacts[0].sha256 is None
    assert "poll_after_s" in shown.model_dump()
    assert "log_tail" not in shown.model_dump()


def test_a_job_that_failed_without_a_word_still_has_a_code_and_a_next_move() -> None:
    job = record("failed", reason="signal", detail="the worker crashed (SIGSEGV); see the log", exit_code=-11)

    shown = view(job, Kept(lines=[f"line {number}" for number in range(50)]))

    assert shown.error is not None
    assert shown.error.code == "job_signal"
    assert shown.reason == "signal"
    assert len(shown.log_tail) == 6
    assert "The call was: start_training" in shown.next


def test_a_failed_job_repeats_the_workers_own_hint() -> None:
    failure = Failure(code="cuda_oom", message="No memory left.", hint="Lower batch_size to 2.")
    params = {"manifest": "/m", "batch_size": 8, "lora_r": 16}

    shown = view(record("failed", reason="cuda_oom", failure=failure, params=params), Kept())

    assert shown.error is not None
    assert shown.error.code == "cuda_oom"
    assert shown.next == 'Lower batch_size to 2. The call was: start_training manifest="/m" batch_size=8'


LONG = "/home/a-person/books/a-long-title-of-a-book/voices/anna/training"
STATES: dict[str, dict[str, object]] = {
    "queued": {"detail": "waits for the gpu: training-20261122-131144-7f3b runs, then training-20261122-131144-7f3c"},
    "running": {"started_at": 100.0},
    "succeeded": {
        "result": {name: f"{LONG}/{name}" for name in ("voice", "adapter", "base", "plot", "report", "tensorboard")}
        | {"speaker": "anna", "steps": 2000, "first_loss": 12.345678, "last_loss": 4.56789, "n_clips": 1234}
    },
    "failed": {
        "failure": Failure(code="cuda_oom", message="word " * 120, hint="Lower batch_size to 2."),
        "params": {"manifest": f"{LONG}/train_manifest_qwen3.jsonl", "batch_size": 8, "base_model": "toy"},
    },
    "cancelled": {"params": {"manifest": f"{LONG}/train_manifest_qwen3.jsonl", "batch_size": 8, "base_model": "toy"}},
}


@pytest.mark.parametrize("state", list(STATES))
def test_a_look_at_a_job_costs_less_than_400_tokens(state: str) -> None:
    """By the usual rule of four characters a token."""
    newest = Progress(at=1, done=50, total=200, message="training " * 20, metrics={"loss": 2.1, "lr": 1e-5}, rate=1.5)
    names = ("voice", "adapter", "base", "plot.png", "report.html", "a", "b", "c", "d")
    made = [
        Artifact(job_id=JOB, name=n, kind="voice", path=f"{LONG}/{n}", size_bytes=10**9, sha256="0" * 64) for n in names
    ]

    shown = view(record(state, **STATES[state]), Kept(newest, ["x" * 400] * 50, made))

    n_tokens = len(json.dumps(shown.model_dump(mode="json"), ensure_ascii=False)) / 4
    assert n_tokens < 400


def test_long_results_are_told_in_part_unless_all_is_wanted() -> None:
    wavs = [f"/takes/take_{number:03}.wav" for number in range(200)]
    job = record("succeeded", kind="synthesize", result={"wavs": wavs, "takes": "/t"})

    shown = view_job(job, Kept())
    whole = view_job(job, Kept(), detail=True)

    assert shown.result["wavs"] == [*wavs[:6], "… 194 more: get_job detail=true"]
    assert whole.result["wavs"] == wavs


def test_a_long_text_is_cut_at_a_line_or_a_word_and_names_the_rest() -> None:
    lines = ["Kept 1:02 of 1:10 h in 300 clips." + " A word" * 10, *(f"Line {n} of the summary." for n in range(20))]

    def shown(text: str) -> str:
        return str(view_job(record("succeeded", result={"summary": text}), Kept()).result["summary"])

    assert shown("\n".join(lines)) == "\n".join([*lines[:5], "… 16 more lines: get_job detail=true"])
    assert shown("one " * 80) == "one " * 49 + "one … the rest: get_job detail=true"


def test_parts_of_units_are_shown_in_percent() -> None:
    assert progress_text(Progress(at=0, done=0.008451, total=0.018833, message="8 clips")) == "45 %, 8 clips"
    assert progress_text(Progress(at=0, done=0.5, message="reading")) == "reading"


def test_no_secret_reaches_the_reader() -> None:
    failure = Failure(code="x", message="401 for https://me:pass1word@hub.co/a?token=abc123def456", hint="")
    lines = ["HF_TOKEN=hf_abcdefghijklmnopqrstuv", "Authorization: Bearer abcdefghijkl123456", "max_tokens=2048"]

    told = view(record("failed", failure=failure), Kept(lines=lines)).model_dump_json()

    assert "hf_abc" not in told
    assert "abcdefghijkl123456" not in told
    assert "pass1word" not in told
    assert "abc123def456" not in told
    assert "max_tokens=2048" in told


def test_log_lines_are_as_many_as_asked_for() -> None:
    kept = Kept(lines=[f"line {number}" for number in range(50)])

    assert len(view(record("succeeded"), kept, 40).log_tail) == 40
    assert view(record("failed"), kept, 0).log_tail == []


def test_progress_without_a_total_is_a_count() -> None:
    assert progress_text(Progress(at=0, done=3, message="reading")) == "3 reading"
    assert progress_text(Progress(at=0, done=0, message="loading")) == "loading"
    assert progress_text(None) == ""


def test_the_present_rate_is_told_and_decides_the_time_that_is_left() -> None:
    at_rate = Progress(at=0, done=50, total=200, message="training", metrics={"loss": 2.0}, rate=0.5)

    assert progress_text(at_rate) == "50/200 training, 30/min loss=2"
    assert progress_text(at_rate.model_copy(update={"rate": 2.34})) == "50/200 training, 2.34/s loss=2"
    assert progress_text(at_rate.model_copy(update={"rate": 0.01})) == "50/200 training, 36/h loss=2"
    assert view(record("running", started_at=0.0), Kept(at_rate)).eta_s == 300  # whatever the elapsed time says


@pytest.mark.anyio
async def test_many_who_wait_hold_up_nobody(context: ToolContext, work: Path) -> None:
    """Each held a thread, so that the next call waited for the end of theirs."""
    (work / "m.jsonl").write_text('{"audio": "a.wav", "text": "A line."}\n')
    tool = find_tool("align")
    job_id = (await tool.run(tool.args(manifest="m.jsonl", not_before="365d"), context)).job_id
    order: list[str] = []

    async def wait() -> None:
        await wait_for(job_id, 3.0, context)
        order.append("waited")

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert (await to_thread.run_sync(context.runner.get, job_id)).state == "queued"
        order.append("answered")

    assert order == ["answered", *["waited"] * 200]


def test_a_stopped_job_shows_how_far_it_came() -> None:
    newest = Progress(at=time.time(), done=50, total=200, message="training", metrics={"loss": 2.123456})

    stopped = record("cancelled", started_at=time.time() - 100, ended_at=time.time())

    assert view(stopped, Kept(newest)).progress == "50/200 training loss=2.123"
