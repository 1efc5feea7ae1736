"""The report of a finished run in a folder that anybody may have made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.training.run_outputs import find_finished

IDENTITY = {"lr": 1e-3}
RESULT = {
    "voice": "/etc", "voice_last": "/etc", "adapter": None, "base": "/home", "speaker": "ann", "speakers": ["ann"],
    "steps": 3, "voice_step": 3, "first_loss": 2.0, "last_loss": 1.0, "n_clips": 4, "base_check": "aligned",
    "plot": "/etc/passwd", "report": "/etc/passwd", "tensorboard": "/etc",
}  # fmt: skip


def write_report(out: Path, **changes: Any) -> Path:
    (out / "voice").mkdir(parents=True)
    (out / "voice" / "config.json").write_text("{}")
    rows: dict[str, Any] = {"rows": []}
    report = {"run": IDENTITY, "result": RESULT, "losses": rows, "validation": rows, "probes": rows, **changes}
    (out / "report.json").write_text(json.dumps(report))
    return out


def test_the_files_of_a_finished_run_are_those_of_its_folder_whatever_its_report_says(tmp_path: Path) -> None:
    out = write_report(tmp_path / "out")

    found = find_finished(out, IDENTITY)

    assert found is not None
    assert (found.voice, found.voice_last, found.adapter) == (str(out / "voice"), str(out / "voice-last"), None)
    assert (found.base, found.plot) == (str(out / "base"), str(out / "loss.png"))
    assert (found.report, found.tensorboard) == (str(out / "report.html"), str(out / "tensorboard"))


def test_the_voice_of_another_run_is_refused_in_few_words(tmp_path: Path) -> None:
    out = write_report(tmp_path / "out", result={**RESULT, "speaker": "x" * 10**6})

    with pytest.raises(UserError) as caught:
        find_finished(out, {"lr": 1})

    assert caught.value.code == "out_dir_taken"
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"result": None}, {"result": {}}, {"result": {**RESULT, "steps": "many"}}, {"losses": []},
        {"losses": {"rows": [[1, 2]]}}, {"losses": {"rows": "x"}}, {"validation": {}},
        {"probes": {"rows": [["a"] * 5]}},
    ],
)  # fmt: skip
def test_a_report_that_no_run_wrote_is_none(changes: dict[str, Any], tmp_path: Path) -> None:
    assert find_finished(write_report(tmp_path / "out", **changes), IDENTITY) is None


def test_a_report_that_is_nested_deeply_is_none_and_a_pipe_is_refused(tmp_path: Path) -> None:
    out = write_report(tmp_path / "out")
    (out / "report.json").write_text('{"run":' * 100_000)
    assert find_finished(out, IDENTITY) is None

    (out / "report.json").unlink()
    os.mkfifo(out / "report.json")
    with pytest.raises(UserError) as caught:
        find_finished(out, IDENTITY)
    assert caught.value.code == "file_not_regular"
