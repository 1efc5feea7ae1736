"""The supervisor's part of jobs that run elsewhere, with a backend that answers as it is told."""

from __future__ import annotations

import pytest

from jobs.errors import UserError
from jobs.files import atomic_io
from jobs.runner.backend import AttemptPhase, AttemptStatus
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.runner.supervisor.remote_executor import RemoteJobs, open_backend
from jobs.settings import Settings

JOB = "add-20261122-131144-7f3a"
EXIT = {"code": 0, "cancelled": False, "oom": False, "spawn_error": ""}


@pytest.mark.parametrize("name", ["local.x", "../slurm", "os"])
def test_only_known_backends_are_loaded(settings: Settings, name: str) -> None:
    with pytest.raises(UserError, match="backend_unknown"):
        open_backend(name, settings)


class Elsewhere:
    """A backend; ``error`` is raised by whatever is asked next."""

    def __init__(self) -> None:
        self.answer = AttemptStatus(AttemptPhase.WAITING, "waits in the queue (Resources)")
        self.error: Exception | None = None
        self.calls: list[str] = []

    def start(self, row: JobRow) -> str:
        """Hand over."""
        self._called(f"start {row.attempt}")
        return f"ref-{row.attempt}"

    def look(self, row: JobRow) -> AttemptStatus:
        """Answer."""
        self._called("look")
        return self.answer

    def cancel(self, row: JobRow) -> None:
        """Note it."""
        self._called("cancel")

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.error is not None:
            raise self.error


class Remote:
    """The parts under test, and one queued job."""

    def __init__(self, settings: Settings) -> None:
        self.home = Home(settings.home)
        self.store = Store(self.home)
        self.elsewhere = Elsewhere()
        self.jobs = RemoteJobs(settings, self.store, self.home, lambda name, _: self.elsewhere, look_s=0.0)
        row = {
            "id": JOB, "kind": "add", "spec_hash": "h", "document": "{}", "resource": "gpu", "environment": "ml",
            "max_tries": 2, "created_at": 0.0, "backend": "slurm",
        }  # fmt: skip
        with self.store.transaction() as connection:
            self.store.insert(connection, row, None)

    @property
    def row(self) -> JobRow:
        """The job now."""
        row = self.store.get(JOB)
        assert row is not None
        return row

    def tick(self) -> JobRow:
        """What the supervisor does with the job."""
        if self.row.state in ("starting", "running"):
            self.jobs.look_after(self.row)
        self.jobs.start_ready()
        return self.row

    def write(self, name: str, **values: object) -> None:
        """A file that the shim on the other side leaves."""
        folder = self.home.attempt(JOB, self.row.attempt).path
        atomic_io.write_json(folder / name, dict(values))


@pytest.fixture
def remote(settings: Settings) -> Remote:
    """A home with one job for another backend."""
    return Remote(settings)


def test_a_job_waits_runs_and_ends_by_the_files_that_come_back(remote: Remote) -> None:
    handed = remote.tick()
    waiting = remote.tick()
    remote.write("start.json", pid=1)
    running = remote.tick()
    remote.write("result.json", total=1)
    remote.write("exit.json", **EXIT)
    ended = remote.tick()

    assert (handed.state, handed.backend_ref) == ("starting", "ref-1")
    assert (waiting.state, waiting.detail) == ("starting", "waits in the queue (Resources)")
    assert (running.state, running.tries) == ("running", 1)
    assert (ended.state, ended.exit_code) == ("succeeded", 0)
    assert remote.store.leases("gpu") == {}


def test_what_a_backend_does_not_know_changes_nothing(remote: Remote) -> None:
    remote.tick()
    remote.elsewhere.answer = AttemptStatus(AttemptPhase.UNKNOWN)

    assert [remote.tick().state for _ in range(3)] == ["starting"] * 3


def test_an_attempt_that_is_gone_and_never_began_costs_no_try(remote: Remote) -> None:
    remote.tick()
    remote.elsewhere.answer = AttemptStatus(AttemptPhase.GONE)
    row = remote.tick()

    assert (row.state, row.attempt, row.tries) == ("queued", 1, 0)


def test_an_attempt_that_is_gone_after_it_began_was_interrupted(remote: Remote) -> None:
    remote.tick()
    remote.write("start.json", pid=1)
    remote.elsewhere.answer = AttemptStatus(AttemptPhase.GONE)
    row = remote.tick()

    assert (row.state, row.reason, row.tries) == ("interrupted", "lost", 1)


def test_a_backend_that_does_not_answer_is_left_alone_for_a_while_and_told(remote: Remote) -> None:
    remote.elsewhere.error = OSError("no route to host")
    row = remote.tick()
    remote.tick()

    assert (row.state, row.detail) == ("starting", "slurm does not answer: no route to host")
    assert remote.elsewhere.calls == ["start 1"]


def test_a_handing_over_whose_answer_was_lost_is_asked_again_for_the_same_attempt(remote: Remote) -> None:
    remote.store.claim(JOB, 0)  # the supervisor was killed here

    row = remote.tick()

    assert (row.attempt, row.backend_ref) == (1, "ref-1")


def test_what_a_backend_refuses_has_failed_with_its_words(remote: Remote) -> None:
    remote.elsewhere.error = UserError("partition_unknown", "There is no partition.", "See sinfo.")
    row = remote.tick()

    assert (row.state, row.reason, row.detail) == ("failed", "spawn", "There is no partition.")


def test_a_cancelled_attempt_is_stopped_there_and_settled_when_it_is_gone(remote: Remote) -> None:
    remote.tick()
    remote.store.ask_to_cancel(JOB)
    waiting = remote.tick()
    remote.elsewhere.answer = AttemptStatus(AttemptPhase.GONE)
    remote.tick()

    assert waiting.state == "starting"
    assert "cancel" in remote.elsewhere.calls
    assert remote.store.cancel_waiting(JOB)
    assert remote.row.state == "cancelled"
