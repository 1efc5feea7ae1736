"""Files and output of ``./run.sh plot``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.paths import Home
from jobs.runner.progress.reports import ProgressWriter
from jobs.settings import Settings
from server.cli.plot import plot_command

JOB = "training-20260101-000000-0001"


@pytest.fixture
def settings(home_with_a_job: tuple[Settings, str]) -> Settings:
    """A home with a job that has measured something."""
    settings, job_id = home_with_a_job
    writer = ProgressWriter(Home(settings.home).attempt(job_id, 1).progress)
    for step in range(1, 4):
        writer.write(step, 3, "training", {"loss": 1.0 / step})
    writer.close()
    return settings


def test_the_picture_is_in_the_jobs_folder_and_where_it_is_wanted(settings: Settings, tmp_path: Path) -> None:
    answer = json.loads(plot_command([JOB, "--json"], settings, ""))
    copied = plot_command([JOB, "--out", str(tmp_path / "my plot.png")], settings, "")
    in_folder = plot_command([JOB, "--out", str(tmp_path)], settings, "")

    assert Path(answer["path"]) == settings.home / "jobs" / JOB / "plot.png"
    assert copied == f"{tmp_path / 'my plot.png'}\n"
    assert in_folder == f"{tmp_path / (JOB + '.png')}\n"
    assert (tmp_path / "my plot.png").read_bytes() == Path(answer["path"]).read_bytes()


def test_a_place_that_cannot_be_written_or_is_not_allowed_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        plot_command([JOB, "--out", str(tmp_path / "missing" / "x.png")], settings, "")
    assert refused.value.code == "path_unusable"
    with pytest.raises(UserError) as refused:
        plot_command([JOB, "--out", "/etc/x.png"], settings, "")
    assert refused.value.code == "path_outside_roots"


def test_a_picture_of_this_command_is_replaced_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "x.png"
    for _ in range(2):
        plot_command([JOB, "--out", str(out)], settings, "")
    out.write_bytes(b"\x89PNG of a user")

    with pytest.raises(UserError) as refused:
        plot_command([JOB, "--out", str(out)], settings, "")

    assert refused.value.code == "output_not_ours"
    assert out.read_bytes() == b"\x89PNG of a user"
