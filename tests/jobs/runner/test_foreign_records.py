"""Records that a worker which was taken over may leave: the job ends, and it and the list of jobs can be shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jobs.files.records import read_record
from jobs.runner.attempt.outcome import Exit, determine_outcome, read_exit
from jobs.runner.client.job_status import StatusReader
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.progress.tail import newest_reports, read_done
from jobs.runner.store import JobRow, Store
from jobs.runner.store.store import finish_attempt
from jobs.settings import Settings
from server.cli.render import as_text
from tools.core.job_view import view_job
from tools.core.registry import all_tools

JOB = "training-20261125-120000-0001"
DEEP = '{"a": ' * 400 + "1" + "}" * 400
RECORDS = [
    "[]",
    "1",
    "null",
    "{}",
    '{"code": 1, "message": [], "hint": {}, "reason": 5}',
    '{"code": "x", "message": "\\ud800", "hint": "\\udfff", "reason": "\\ud800"}',
    '{"voice": 1, "exports": 2, "folder": [], "wavs": 3, "takes": {}}',
    '{"code": 1e400, "message": NaN}',
    DEEP,
    "[" * 100_000,
]


@pytest.fixture
def row(store: Store, home: Home) -> JobRow:
    """A job whose worker runs."""
    with store.transaction() as connection:
        row = {"id": JOB, "kind": "training", "spec_hash": "h", "document": json.dumps({"params": {}}),
               "resource": "cpu", "environment": "ml", "max_tries": 3, "created_at": 0.0}  # fmt: skip
        store.insert(connection, row, None, ())
    assert store.claim(JOB, 0, [("cpu", 0)])
    found = store.get(JOB)
    assert found is not None
    home.attempt(JOB, found.attempt).path.mkdir(parents=True)
    return found


@pytest.mark.parametrize("name", ["result", "failure"])
@pytest.mark.parametrize("content", RECORDS)
def test_a_job_with_a_foreign_record_ends_and_can_be_shown(
    name: str, content: str, row: JobRow, store: Store, home: Home, settings: Settings, runner: Runner
) -> None:
    folder = home.attempt(JOB, row.attempt)
    (folder.path / f"{name}.json").write_text(content)
    folder.artifacts.write_text("[]\n1\n{}\n")
    folder.progress.write_text('[]\n1\n{"done": []}\n{"done": {"a": 1}, "at": "x"}\n')

    finish_attempt(store, folder, row, Exit(0 if name == "result" else 1))
    ended = store.get(JOB)

    assert ended is not None
    assert ended.state in ("succeeded", "failed")
    [record] = StatusReader(store, settings).records([ended])
    assert record.job_id == runner.list()[0].job_id == JOB
    assert JOB in as_text(view_job(runner.get(JOB), runner, 5))
    assert (runner.artifacts(JOB), runner.progress(JOB), read_done(folder.progress)) == ([], None, 0.0)


def test_a_pipe_in_place_of_a_record_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "result.json")

    assert read_record(tmp_path / "result.json") is None


@pytest.mark.parametrize("content", [*RECORDS, '{"code": true}', '{"code": 1e3}', '{"code": 99999999999999999999}'])
def test_an_exit_of_another_form_is_none(content: str, tmp_path: Path) -> None:
    folder = AttemptFolder(tmp_path / "jobs" / JOB / "attempt-1")
    folder.path.mkdir(parents=True)
    folder.exit.write_text(content)

    assert read_exit(folder) is None


def test_a_failure_holds_texts_that_the_store_takes() -> None:
    outcome = determine_outcome(Exit(1), None, {"code": 5, "message": "\ud800", "hint": ["x"], "reason": "\udfff"})

    assert (outcome.detail, outcome.reason) == ("5: ?", "?")
    assert outcome.failure is not None
    assert {name: outcome.failure[name] for name in ("code", "message", "hint")} == {
        "code": "5",
        "message": "?",
        "hint": "['x']",
    }


def test_progress_of_another_form_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "progress.jsonl").write_text('{"done": 3}\n[]\n1\n"x"\n' + "[" * 10_000 + "\n")

    assert list(newest_reports(tmp_path / "progress.jsonl")) == [{"done": 3}]


@pytest.mark.parametrize("value", [None, 1, [], {}, "x\0y", [1], {"a": 1}, True])
def test_a_succeeded_job_of_every_kind_is_shown_whatever_its_result_holds(value: object, runner: Runner) -> None:
    for tool in all_tools().values():
        if tool.kind is None:
            continue
        for params in ({}, dict.fromkeys(tool.kind.params.model_fields, "x")):
            result = dict.fromkeys(tool.kind.result.model_fields, value)
            known = {"job_id": JOB, "kind": tool.kind.name, "state": "succeeded", "result": result, "params": params}

            assert isinstance(tool.next_step(JobRecord.model_validate(known), runner), str)
