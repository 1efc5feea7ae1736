"""A job's metrics as a picture: what is drawn, and when it is drawn anew."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from jobs.errors import UserError
from jobs.plotting.curves import smoothed
from jobs.plotting.render_client import build_curves_request, draw_job_plot
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord, Progress
from jobs.runner.paths import Home
from jobs.runner.progress.metric_history import MetricHistory
from jobs.runner.progress.reports import ProgressWriter
from jobs.settings import Settings

JOB = "training-20260101-000000-0001"


@pytest.fixture
def settings(home_with_a_job: tuple[Settings, str]) -> Settings:
    return home_with_a_job[0]


def tell(settings: Settings, *losses: float) -> None:
    writer = ProgressWriter(Home(settings.home).attempt(JOB, 1).progress)
    for step, loss in enumerate(losses, 1):
        writer.write(step, len(losses), "training", {"loss": loss, "lr": 1e-5})
    writer.close()


def size_of(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


def test_the_same_history_is_drawn_once_and_a_longer_one_anew(settings: Settings) -> None:
    runner = Runner(settings)
    tell(settings, 3.0, 2.0, 1.5)

    first = draw_job_plot(JOB, runner, settings)
    drawn_at, content = first.stat().st_mtime_ns, first.read_bytes()
    again = draw_job_plot(JOB, runner, settings)
    unchanged_at = again.stat().st_mtime_ns
    tell(settings, *[3.0 / step for step in range(1, 40)])
    longer = draw_job_plot(JOB, runner, settings).read_bytes()

    assert first == again == Home(settings.home).job(JOB) / "plot.png"
    assert unchanged_at == drawn_at
    assert content.startswith(b"\x89PNG")
    assert size_of(content)[0] > 600
    assert longer != content
    assert [path.name for path in first.parent.glob("*.png")] == ["plot.png"]


def test_a_job_without_metrics_and_a_missing_environment_are_told(settings: Settings) -> None:
    with pytest.raises(UserError) as refused:
        draw_job_plot(JOB, Runner(settings), settings)
    assert refused.value.code == "no_metrics"

    tell(settings, 1.0)
    settings.python("ml").unlink()
    with pytest.raises(UserError) as refused:
        draw_job_plot(JOB, Runner(settings), settings)
    assert refused.value.code == "environment_missing"


def test_curves_go_along_the_work_or_along_the_time_where_the_work_stands_still() -> None:
    record = JobRecord(job_id=JOB, kind="training", state="running")

    def history(*done: float) -> MetricHistory:
        points = [Progress(at=100.0 + 30 * i, done=d, total=10, metrics={"loss": i}) for i, d in enumerate(done)]
        return MetricHistory(points, continued_at=[2.0])

    along_work = build_curves_request(record, history(1, 2, 3))
    along_time = build_curves_request(record, history(5, 5, 5))

    assert along_work["curves"] == {"loss": [[1, 0], [2, 1], [3, 2]]}
    assert (along_work["along"], along_work["continued_at"]) == ("step of 10", [2.0])
    assert along_time["curves"] == {"loss": [[0, 0], [0.5, 1], [1, 2]]}
    assert (along_time["along"], along_time["continued_at"]) == ("minutes", [])


def test_smoothing_keeps_a_line_and_evens_out_noise() -> None:
    line = np.linspace(0, 1, 200)
    noise = np.random.default_rng(0).normal(size=200)

    assert np.allclose(smoothed(line)[10:-10], line[10:-10])
    assert smoothed(noise).std() < noise.std() / 2
