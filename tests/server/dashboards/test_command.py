"""Commands of the dashboards; the real optuna-dashboard over a real study, the real TensorBoard over a real log."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import optuna
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from torch.utils.tensorboard import SummaryWriter

from jobs.errors import UserError
from jobs.runner.client.submission import SubmissionRequest, take
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.spec import KIND
from server.dashboards.command import Dashboard, Running, link_runs, optuna_dashboard, serving, tensorboard
from server.dashboards.proxy import DashboardServer

BOUND_S = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The environment of the tests, and a folder to work in."""
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return Settings(tmp_path / "home", tmp_path / "envs", (tmp_path,), disk_reserve_bytes=1_000_000)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of one trial."""
    path = tmp_path / "a search" / "optuna_study.db"
    path.parent.mkdir()
    made = optuna.create_study(study_name="tune_hparams", storage=f"sqlite:///{path}")
    made.tell(made.ask({"lr": optuna.distributions.FloatDistribution(1e-6, 1e-4)}), 4.25)
    return path


def test_the_dashboard_shows_the_study_and_cannot_change_it(settings: Settings, study: Path) -> None:
    before = study.read_bytes()
    dashboard = optuna_dashboard([str(study.parent), "--port", "0"], settings, "")

    with shown(dashboard, settings) as (server, running):
        first, listed = ask(server, "/"), ask(server, "/api/studies")
        refused = ask(server, "/api/studies/1", "DELETE")
        past_the_proxy = ask_socket(running.folder / "socket", "DELETE", "/api/studies/1")
        after = ask(server, "/api/studies")

    assert first.headers["Location"] == f"{server.url}dashboard"
    assert [one["study_name"] for one in listed.json()["study_summaries"]] == ["tune_hparams"]
    assert (refused.status_code, past_the_proxy.status_code) == (405, 500)
    assert after.json() == listed.json()
    assert study.read_bytes() == before


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", "view"),
        ("CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM studies; END", "trigger"),
        ("CREATE VIRTUAL TABLE words USING fts5(word)", "table"),
        ("ALTER TABLE trials ADD COLUMN more TEXT AS (hex(zeroblob(1000000000)))", "generated column"),
        ("CREATE INDEX i ON trials (abs(number))", "index of expressions"),
    ],
)
def test_a_study_with_sql_of_its_own_is_not_opened(settings: Settings, study: Path, sql: str, kind: str) -> None:
    with contextlib.closing(sqlite3.connect(study)) as connection:
        connection.execute(sql)

    with pytest.raises(UserError, match=f"holds the {kind} .*, which optuna does not make") as refused:
        optuna_dashboard([str(study)], settings, "")

    assert refused.value.code == "study_missing"


def test_a_file_that_only_begins_as_a_study_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "optuna_study.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)

    with pytest.raises(UserError, match="cannot be read"):
        optuna_dashboard([str(tmp_path)], settings, "")


def test_an_event_that_asks_for_far_more_memory_than_its_file_has_bytes_fails_alone(
    settings: Settings, tmp_path: Path
) -> None:
    """One number whose shape says 2**31 numbers: 9 GB."""
    writer = EventFileWriter(str(tmp_path / "logs"))
    tensor = TensorProto(dtype=DT_FLOAT, float_val=[1.0])
    tensor.tensor_shape.dim.add(size=2**31)
    metadata = SummaryMetadata(data_class=DATA_CLASS_SCALAR)
    metadata.plugin_data.plugin_name = "scalars"
    value = Summary.Value(tag="loss", tensor=tensor, metadata=metadata)
    writer.add_event(Event(step=1, wall_time=1.0, summary=Summary(value=[value])))
    writer.close()
    dashboard = tensorboard(["0", "--logdir", "logs"], settings, "")

    with shown(dashboard, settings) as (server, running):
        answer = ask(server, "/data/plugin/scalars/scalars?run=.&tag=loss")
        status = Path(f"/proc/{running.process.pid}/status").read_text()
        runs = ask(server, "/data/runs")

    peak_kb = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
    assert answer.status_code == 500
    assert runs.json() == ["."]
    assert peak_kb < 3_500_000


def test_tensorboard_shows_the_curves(settings: Settings, tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path / "logs" / "run"))
    writer.add_scalar("loss", 0.5, 3)
    writer.close()
    dashboard = tensorboard(["0", "--logdir", "logs"], settings, "")

    with shown(dashboard, settings) as (server, _):
        page, runs = ask(server, "/"), ask(server, "/data/runs")
        form = {"requests": (None, '[{"plugin": "scalars", "tag": "loss"}]')}
        place = "/experiment/defaultExperimentId/data/plugin/timeseries/timeSeries"
        read = ask(server, place, "POST", files=form)

    assert "<title>TensorBoard</title>" in page.text
    assert runs.json() == ["run"]
    (point,) = read.json()[0]["runToSeries"]["run"]
    assert (point["step"], point["value"]) == (3, 0.5)


@pytest.mark.parametrize("name", ["optuna_study.db", "a ?b#c%41.db"])
@pytest.mark.parametrize("spelt", ["sqlite:///{study}", "{study}", "a search/{name}"])
def test_a_study_is_named_as_the_original_skill_did_or_by_its_path(
    settings: Settings, tmp_path: Path, spelt: str, name: str
) -> None:
    study = tmp_path / "a search" / name
    study.parent.mkdir()
    sqlite3.connect(study).execute("CREATE TABLE studies (study_id INTEGER)").connection.close()

    dashboard = optuna_dashboard([spelt.format(study=study, name=name)], settings, "")

    assert (dashboard.source(tmp_path), dashboard.port) == (study, 8080)


@pytest.mark.parametrize("words", [[], ["nothing.db"], ["text.db"]])
def test_a_missing_study_is_refused(settings: Settings, words: list[str]) -> None:
    (settings.roots[0] / "text.db").write_text("no database")
    with pytest.raises(UserError) as refused:
        optuna_dashboard(words, settings, "")

    assert refused.value.code == "study_missing"
    assert "tune_hparams" in refused.value.hint


def test_without_the_environment_its_installation_is_named(settings: Settings, tmp_path: Path) -> None:
    bare = Settings(settings.home, tmp_path / "nothing", settings.roots)

    with pytest.raises(UserError, match="ml environment") as refused, serving(tensorboard([], bare, ""), bare):
        pass

    assert refused.value.hint.startswith("Call setup")


def test_a_dashboard_that_ends_is_reported_with_its_last_words(settings: Settings, tmp_path: Path) -> None:
    settings.python("ml").write_text("#!/bin/sh\necho out of luck >&2\nexit 3\n")
    dashboard = tensorboard(["0", "--logdir", "."], settings, "")

    with (
        pytest.raises(UserError, match="ended with status 3: out of luck") as failed,
        serving(dashboard, settings) as running,
    ):
        running.process.wait(BOUND_S)

    assert failed.value.code == "dashboard_failed"


def test_the_process_has_no_port_and_its_folder_is_ours_alone_and_removed(settings: Settings, study: Path) -> None:
    python = settings.python("ml")
    python.write_text('#!/bin/sh\necho "$@" > "$TMPDIR/asked"\nexec cat\n')  # ends when its stdin is closed
    dashboard = optuna_dashboard([str(study), "--port", "0"], settings, "")

    with suppress(UserError), serving(dashboard, settings) as running:
        folder, process = running.folder, running.process
        mode = folder.stat().st_mode & 0o777
        process.stdin.close()
        process.wait(BOUND_S)
        asked = (folder / "asked").read_text().split(" ", 2)

    assert mode == 0o700
    assert asked[0].endswith("server/dashboards/child.py")
    assert asked[1:] == ["optuna-dashboard", f"{folder}/socket {study}\n"]
    assert not folder.exists()


def test_every_trainings_log_is_linked_by_its_job_wherever_it_is_written(settings: Settings, tmp_path: Path) -> None:
    jobs = make_jobs(settings, [str(tmp_path / "voice"), ""])
    private = tmp_path / "private"
    private.mkdir()

    links = {link.name: link.readlink() for link in link_runs(settings, private).iterdir()}

    assert links == {
        jobs[0]: tmp_path / "voice" / "tensorboard",
        jobs[1]: settings.home / "jobs" / jobs[1] / "out" / "tensorboard",
    }


def test_a_link_in_the_place_of_a_log_or_of_their_folder_leads_nowhere(settings: Settings, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "link").symlink_to("elsewhere")
    make_jobs(settings, [str(tmp_path / "voice")])
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "tensorboard").symlink_to("/")
    (settings.home / "tensorboard").symlink_to(precious)
    private = tmp_path / "private"
    private.mkdir()

    assert list(link_runs(settings, private).iterdir()) == []
    assert [link.name for link in precious.iterdir()] == ["link"]


def make_jobs(settings: Settings, out_dirs: list[str]) -> list[str]:
    """Submit and cancel trainings; return their ids."""
    store = Store(Home(settings.home))
    jobs = [
        take(SubmissionRequest(KIND, Params(manifest="/m", out_dir=out_dir), None, None, False), store, settings)[0].id
        for out_dir in out_dirs
    ]
    for job in jobs:  # so that listing them starts no supervisor
        store.ask_to_cancel(job)
        store.cancel_waiting(job)
    return jobs


@contextmanager
def shown(dashboard: Dashboard, settings: Settings) -> Iterator[tuple[DashboardServer, Running]]:
    """A real dashboard behind a real server, once its page comes; and its process."""
    with serving(dashboard, settings) as running:
        server, process = running.server, running.process
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            deadline = time.monotonic() + BOUND_S
            while ask(server, "/").status_code == 503:
                assert process.poll() is None, "it has ended"
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield server, running
        finally:
            server.stop()
            thread.join()


def ask(server: DashboardServer, path: str, method: str = "GET", **content: Any) -> httpx.Response:
    """Send one request as a browser that has the address."""
    headers = {"Host": f"{server.key}.localhost:{server.port}"}
    return httpx.request(method, f"http://127.0.0.1:{server.port}{path}", headers=headers, timeout=BOUND_S, **content)


def ask_socket(socket: Path, method: str, path: str) -> httpx.Response:
    """Send one request to the dashboard itself, as another process of the same user can."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
        return client.request(method, f"http://localhost{path}", timeout=BOUND_S)
