"""Jobs on the pages: named, folded, followed live, stopped and started again by the tools."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from jobs.runner.models import JobRecord, Progress
from jobs.runner.paths import Home
from jobs.runner.progress.metric_history import MetricHistory
from server.web.job_rows import advise, draw_curves, find_parent, name_subject, signature
from server.web.pages.jobs import _changes
from tests.server.web.conftest import add_job
from tests.support.html_page import HOSTILE
from tools.inputs.references import find_stopped_run

SEARCH = "tune_hparams-20260101-000000-0001"
TRIAL = "training-20260101-00000{}-0002"


def add(browser, job_id: str, state: str, params: dict[str, Any], **more: Any) -> Path:
    """Add a job to the store of the pages."""
    return add_job(browser.context.settings.home, job_id, state, params, **more)


@pytest.fixture
def search(browser) -> str:
    """A search with three trials, and a training of somebody's own with a hostile name."""
    folder = str(browser.context.settings.home / "jobs" / SEARCH)
    add(browser, SEARCH, "succeeded", {"manifest": "/d/anna/train_manifest_qwen3.jsonl"})
    for number in range(3):
        state = "failed" if number == 0 else "succeeded"
        failure = {"code": "cuda_oom", "message": f"No memory {HOSTILE}", "hint": "Lower batch_size."}
        more = {"reason": "exit", "failure": json.dumps(failure)} if number == 0 else {}
        params = {"speaker": "anna", "out_dir": f"{folder}/trials/{number}", "manifest": "/d/anna/m.jsonl"}
        path = add(browser, TRIAL.format(number), state, params, **more)
        points = [{"at": at, "done": at, "total": 4, "metrics": {"loss": 5.0 - at, "validation_loss": loss}}
                  for at, loss in enumerate((4.0, 3.0, 3.5, 3.6), 1)]  # fmt: skip
        (path / "progress.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
        (path / "log").write_text(f"line 1\n{HOSTILE}\n")
    add(browser, "training-20260102-000000-0003", "cancelled", {"speaker": HOSTILE, "manifest": "m.jsonl"})
    return SEARCH


def test_jobs_have_names_and_trials_are_below_their_search(browser, search: str) -> None:
    page = browser.get("/").text

    rows = [part.split("</tr>")[0] for part in page.split('<tr id="row-')[1:]]
    assert [row.split('"')[0] for row in rows] == ["training-20260102-000000-0003", search] + [
        TRIAL.format(number) for number in (2, 1, 0)
    ]
    assert ["child" in row for row in rows] == [False, False, True, True, True]
    assert "<b>anna</b>" in rows[1]
    assert "3 jobs" in rows[1]
    assert "<script>alert" not in page


def test_the_list_is_filtered_by_state(browser, search: str) -> None:
    page = browser.get("/jobs/list?state=failed").text

    assert page.count('<tr id="row-') == 1
    assert TRIAL.format(0) in page


def test_a_job_shows_its_error_the_next_step_the_log_and_where_it_comes_from(browser, search: str) -> None:
    page = browser.get(f"/jobs/{TRIAL.format(0)}").text

    assert "cuda_oom: No memory &lt;/style&gt;" in page
    assert "Lower batch_size." in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert f'started by <a href="{browser.keys.root}/jobs/{search}">' in page
    assert "Start again" in page
    assert ">Stop<" not in page


def test_the_metrics_are_columns_with_advice(browser, search: str) -> None:
    curves = browser.get(f"/jobs/{TRIAL.format(1)}/metrics").json()

    assert curves["names"] == ["loss", "validation_loss"]
    assert curves["at"] == [1, 2, 3, 4]
    assert curves["columns"][1] == [4.0, 3.0, 3.5, 3.6]
    assert curves["advice"] == "The validation loss has risen since step 2: stop here, that one was the best."


def test_there_is_no_advice_for_one_bad_measure_or_none() -> None:
    def history(*losses: float) -> MetricHistory:
        return MetricHistory(
            [Progress(at=1, done=at, metrics={"validation_loss": loss}) for at, loss in enumerate(losses)]
        )

    assert advise(history(3.0, 2.0, 2.5)) == ""
    assert advise(history(3.0, 2.0, 1.5)) == ""
    assert advise(history()) == ""
    assert draw_curves(
        MetricHistory([Progress(at=1, done=1, metrics={"a": 1}), Progress(at=1, done=2, metrics={"b": 2})])
    )["columns"] == [[1, None], [None, 2]]


@pytest.mark.parametrize(
    ("params", "subject"),
    [
        ({"voice": "anna", "audio": "/b/book.m4b"}, "anna"), ({"manifest": "/h/datasets/anna/train.jsonl"}, "anna"),
        ({"manifest": "/h/voices/anna/dataset/train.jsonl"}, "anna"),
        ({"takes": "/w/anna/samples/takes.jsonl"}, "anna"),
        ({"model": "/h/voices/anna/training/voice"}, "anna"),
        ({"model": "/h/jobs/training-20260101-000000-0001/out/voice"}, "training-20260101-000000-0001"),
        ({"model": "Qwen/Base"}, "Qwen/Base"), ({}, ""),
    ],
)  # fmt: skip
def test_a_job_is_of_a_voice_or_dataset(params: dict[str, str], subject: str) -> None:
    assert name_subject(params) == subject


def test_a_job_that_reads_what_another_has_made_is_not_its_child() -> None:
    params = {"model": "/home/jobs/training-20260101-000000-0001/out/voice"}

    assert (
        find_parent(
            JobRecord(job_id="synthesize-20260101-000001-0001", kind="synthesize", state="queued", params=params)
        )
        == ""
    )


def test_an_event_is_sent_when_a_job_has_changed(browser, search: str) -> None:
    before = signature(browser.context.runner)

    assert signature(browser.context.runner) == before
    add(browser, "align-20260103-000000-0004", "cancelled", {"manifest": "m.jsonl"})
    assert signature(browser.context.runner) != before


@pytest.mark.anyio
async def test_the_stream_begins_with_an_event_and_ends_with_the_page(browser, search: str) -> None:
    received = iter([False, True])

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    class Left(Request):
        async def is_disconnected(self) -> bool:
            return next(received)

    app = type("App", (), {"state": type("State", (), {"context": browser.context})})
    events = [each async for each in _changes(Left({"type": "http", "app": app}, receive), 0)]

    assert events == ["retry: 2000\n\n", "event: jobs\ndata: changed\n\n"]


def test_what_starting_again_would_take_is_said_by_the_tool(browser, tmp_path: Path) -> None:
    manifest = browser.context.settings.home / "datasets" / "anna" / "train_manifest.jsonl"
    add(browser, "align-20260103-000000-0004", "failed", {"manifest": str(manifest)})

    plan = browser.post("/jobs/align-20260103-000000-0004/again", dry_run="1")
    started = browser.post("/jobs/align-20260103-000000-0004/again", dry_run="")

    assert plan.status_code == 400, "the environment of the tests has no interpreter"
    assert "environment_missing" in plan.text
    assert started.status_code == 400
    assert len(browser.context.runner.list()) == 1


def test_a_job_that_ended_stays_as_it_is_when_it_is_stopped(browser, search: str) -> None:
    answer = browser.post(f"/jobs/{TRIAL.format(1)}/cancel")

    assert answer.status_code == 200
    assert "succeeded" in answer.text


def test_an_unknown_job_is_not_found(browser) -> None:
    assert browser.get("/jobs/align-20260101-000000-ffff").status_code == 404
    assert browser.get("/jobs/..%2f..").status_code == 404


def test_files_of_a_job_are_sent_without_rights(browser, search: str, tmp_path: Path) -> None:
    home = Home(browser.context.settings.home)
    attempt = home.attempt(TRIAL.format(1), 1)
    report = attempt.path / "report.html"
    report.write_text("<script>alert(1)</script>")
    line = {"job_id": TRIAL.format(1), "name": "report", "kind": "report", "path": str(report),
            "size_bytes": report.stat().st_size,
            "sha256": hashlib.sha256(report.read_bytes()).hexdigest()}  # fmt: skip
    attempt.artifacts.write_text(json.dumps(line) + "\n")
    attempt.artifacts.chmod(0o600)

    answer = browser.get(f"/jobs/{TRIAL.format(1)}/files/report")

    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert browser.get(f"/jobs/{TRIAL.format(1)}/files/other").status_code == 400


def test_voices_and_takes_are_listed_and_an_empty_home_says_how_to_begin(browser) -> None:
    folder = browser.context.settings.home / "voices" / "anna" / "training" / "voice"
    assert "start_training" in browser.get("/voices").text
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")

    assert '/voices/anna">anna</a>' in browser.get("/voices").text
    assert "It has no card" in browser.get("/voices/anna").text
    assert browser.get("/voices/other").status_code == 404
    assert "synthesize" in browser.get("/listen").text


def test_samples_of_a_training_stand_beside_the_narrator(browser, search: str) -> None:
    job_id = TRIAL.format(2)
    folder = browser.context.settings.home / "jobs" / search / "trials" / "2"
    (folder / "samples").mkdir(parents=True)
    assert "Samples beside" not in browser.get(f"/jobs/{job_id}").text
    text = f"A fox ran. {HOSTILE}"
    lines = [{"source": source, "text": text, "audio": f"samples/{source}-1.wav", "is_held_out": True}
             for source in ("voice", "narrator", "step-40", "step-9", "zero-shot")]  # fmt: skip
    lines.append({"source": "voice", "text": "Another.", "audio": None, "note": f"failed {HOSTILE}"})
    lines.append({"source": "voice", "text": "Out.", "audio": "../../../../../store.db"})
    (folder / "samples" / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "samples" / "narrator-1.wav").write_bytes(b"narrator")
    (folder / "samples" / "step-9-1.wav").write_bytes(b"nine")

    page = browser.get(f"/jobs/{job_id}/samples?seen=0").text
    sounds = [browser.get(f"/jobs/{job_id}/samples/{number}") for number in range(8)]

    assert [part.split("</p>")[0] for part in page.split("<div><p>")[1:6]] == [
        "Narrator, re-encoded by the codec (upper bound)", "Base model, cloning the reference clip (before training)",
        "Voice of step 9", "Voice of step 40", "Trained voice",
    ]  # fmt: skip
    assert "<script>alert" not in page
    assert (sounds[0].content, sounds[2].content) == (b"narrator", b"nine")
    assert [sound.status_code for sound in sounds] == [200, 404, 200, 404, 404, 404, 404, 404]
    assert browser.get(f"/jobs/{job_id}/samples?seen=7").status_code == 204
    assert browser.get(f"/jobs/{search}/samples").status_code == 404


def test_a_stopped_training_can_be_made_a_voice_and_another_cannot(browser) -> None:
    job_id = "training-20260104-000000-0005"
    add(browser, job_id, "cancelled", {"manifest": "m.jsonl", "speaker": "anna"})
    assert "Make the voice of" not in browser.get(f"/jobs/{job_id}").text
    assert "nothing_to_extend" in browser.post(f"/jobs/{job_id}/voice").text

    state = Home(browser.context.settings.home).out(job_id) / "checkpoints" / "step-000200"
    state.mkdir(parents=True)
    (state / "state.pt").write_bytes(b"")

    assert "Make the voice of" in browser.get(f"/jobs/{job_id}").text
    assert browser.post(f"/jobs/{job_id}/voice").status_code == 400, "the tool is called, and the manifest is no file"


def test_extend_takes_a_training_that_was_stopped_and_other_arguments_do_not(browser) -> None:
    home, runner = browser.context.settings.home, browser.context.runner
    stopped, given, whole = (f"training-20260105-00000{number}-0001" for number in range(3))
    add(browser, stopped, "cancelled", {})
    add(browser, given, "failed", {"out_dir": "/somewhere/run"})
    add(browser, whole, "succeeded", {})

    found = [find_stopped_run(job_id, "more.extend", runner) for job_id in (stopped, given, whole)]

    assert found == [str(Home(home).out(stopped) / "voice"), "/somewhere/run/voice", None]
    assert find_stopped_run(stopped, "base_model", runner) is None
