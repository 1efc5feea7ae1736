"""A folder that a call leaves open: by a name, never another's, and the same again for the same call."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.files.output_marks import RECORDS
from jobs.runner.client.named_folders import NamedFolder
from jobs.runner.client.runner import Runner, Submission
from jobs.runner.models import JobRecord
from jobs.runner.paths import Home
from jobs.runner.schedules.rule import ScheduleRule
from jobs.runner.schedules.schedules import Schedules
from jobs.settings import Settings

BOUND_S = 60.0
LATER = 4e9  # no supervisor starts it in this test
Until = Callable[[Callable[[], object]], object]


def folder_of(settings: Settings, name: str = "anna", taken: tuple[str, ...] = ()) -> NamedFolder:
    """``voices/anna`` of the home."""
    return NamedFolder("out_dir", settings.home / "voices" / name, taken.__contains__)


def submit(settings: Settings, call: str, *, runner: Runner | None = None, n: int = 5, **given: Any) -> Submission:
    """Submit a call that leaves its folder open."""
    from tiny_kinds import COUNT, CountParams

    given = {"not_before": LATER, "folder": folder_of(settings)} | given
    return (runner or Runner(settings)).submit(COUNT, CountParams(n=n), fingerprint=call, **given)


def name_of(found: Submission | JobRecord) -> str:
    """The name of the folder that a job got."""
    job = found.job if isinstance(found, Submission) else found
    return Path(job.params["out_dir"]).name


def test_the_first_free_name_is_taken_and_the_same_call_finds_its_job(settings: Settings) -> None:
    first, second = submit(settings, "a"), submit(settings, "b")
    (settings.home / "voices" / "anna-3").mkdir(parents=True)
    (settings.home / "voices" / "anna-3" / "mine").write_text("a person's")
    (settings.home / "voices" / "anna-5").symlink_to(settings.home)
    third = submit(settings, "c", folder=folder_of(settings, taken=("anna-4",)))
    again = submit(settings, "b")

    assert [name_of(one) for one in (first, second, third)] == ["anna", "anna-2", "anna-6"]
    assert first.job.params["out_dir"] == str(settings.home / "voices" / "anna")
    assert (again.job.job_id, again.created, again.job.placed) == (second.job.job_id, False, ["out_dir"])


def test_a_dry_run_names_the_folder_of_the_job_that_would_come_or_is_there(settings: Settings) -> None:
    from tiny_kinds import COUNT, CountParams

    runner, params = Runner(settings), CountParams(n=5)
    wanted = {"fingerprint": "a", "folder": folder_of(settings)}

    before = runner.check(COUNT, params, **wanted)
    assert not settings.home.exists(), "a dry run writes nothing"
    submitted = submit(settings, "a")
    after = runner.check(COUNT, params, **wanted)
    other = runner.check(COUNT, params, **{**wanted, "fingerprint": "b"})

    assert before[0] is None
    assert before[1].out_dir == after[1].out_dir == submitted.job.params["out_dir"]
    assert after[0] is not None
    assert after[0].job_id == submitted.job.job_id
    assert Path(other[1].out_dir).name == "anna-2"


def test_the_key_of_a_call_finds_its_job_whatever_folder_it_got(settings: Settings) -> None:
    submit(settings, "other")
    first = submit(settings, "a", key="k")
    again = submit(settings, "a", key="k", reuse=False)

    assert name_of(first) == "anna-2"
    assert again.job.job_id == first.job.job_id


@pytest.mark.parametrize("how", ["cancel", "fail"])
def test_the_same_call_goes_on_in_its_folder_and_another_one_takes_the_next(
    settings: Settings, tmp_path: Path, until: Until, how: str
) -> None:
    from tiny_kinds import COUNT, CountParams

    runner, stop = Runner(settings), tmp_path / "stop"
    stop.write_text(how)
    params = CountParams(n=5, stop=str(stop))

    def start(call: str, **given: Any) -> JobRecord:
        return runner.submit(COUNT, params, fingerprint=call, folder=folder_of(settings), **given).job

    first = start("a")
    kept = settings.home / "voices" / "anna" / "count"
    until(lambda: kept.exists() and kept.read_text() == "3")
    if how == "cancel":
        runner.cancel(first.job_id)
    assert runner.wait(first.job_id, BOUND_S).state in ("cancelled", "failed")
    stop.unlink()
    other, anew = start("b"), start("a", reuse=False)
    assert [runner.wait(job.job_id, BOUND_S).result for job in (other, anew)] == [{"first": 0, "last": 5}] * 2
    second = runner.wait(start("a").job_id, BOUND_S)

    assert [name_of(job) for job in (first, other, anew)] == ["anna", "anna-2", "anna-3"]
    assert second.job_id == anew.job_id, "the newest of the same call has succeeded"
    shutil.rmtree(settings.home / "voices" / "anna-3")
    shutil.rmtree(Path(anew.folder))
    Home(settings.home).collected(anew.job_id).parent.mkdir()
    Home(settings.home).collected(anew.job_id).write_text("{}")
    third = runner.wait(start("a").job_id, BOUND_S)
    assert name_of(third) == "anna"
    assert third.result == {"first": 3, "last": 5}


def test_a_folder_that_another_call_has_written_since_is_not_the_same_calls_own(settings: Settings) -> None:
    from tiny_kinds import COUNT, CountParams

    runner = Runner(settings)
    first = runner.wait(submit(settings, "a", not_before=None).job.job_id, BOUND_S)
    explicit = CountParams(n=7, out_dir=first.params["out_dir"])
    runner.wait(runner.submit(COUNT, explicit, fingerprint="b").job.job_id, BOUND_S)
    Home(settings.home).collected(first.job_id).write_text("{}")

    assert name_of(submit(settings, "a")) == "anna-2"


def test_a_folder_with_nothing_but_marks_of_an_ended_job_is_free(settings: Settings) -> None:
    first = submit(settings, "a")
    Runner(settings).cancel(first.job.job_id)
    (settings.home / "voices" / "anna" / RECORDS).mkdir(parents=True)

    assert name_of(submit(settings, "b")) == "anna"
    assert name_of(submit(settings, "a")) == "anna-2"


def test_a_name_that_begins_like_a_taken_one_is_free_and_a_folder_in_a_taken_one_takes_it(settings: Settings) -> None:
    from tiny_kinds import COUNT, CountParams

    submit(settings, "a", folder=folder_of(settings, "annabel"))
    inner = CountParams(n=1, out_dir=str(settings.home / "voices" / "bea" / "training"))
    Runner(settings).submit(COUNT, inner, not_before=LATER)
    scheduled = CountParams(n=1, out_dir=str(settings.home / "voices" / "cea"))
    Schedules(settings).create(COUNT, scheduled, ScheduleRule.parse(every="1d", cron=None))

    assert name_of(submit(settings, "b")) == "anna"
    assert name_of(submit(settings, "c", folder=folder_of(settings, "bea"))) == "bea-2"
    assert name_of(submit(settings, "d", folder=folder_of(settings, "cea"))) == "cea-2"


def test_work_that_was_stopped_in_its_jobs_own_folder_goes_on_there(settings: Settings) -> None:
    from tiny_kinds import COUNT, CountParams

    runner = Runner(settings)
    old = runner.submit(COUNT, CountParams(n=5), fingerprint="a", not_before=LATER).job
    runner.cancel(old.job_id)
    (Path(old.folder) / "out").mkdir(parents=True)

    found = submit(settings, "a")

    assert found.job.params["out_dir"] == ""
    assert found.job.placed == []


def _submit_in_a_process(settings: Settings, call: str, ready: Any, names: Any) -> None:
    ready.wait()
    names.put((call, name_of(submit(settings, call))))


def test_calls_at_the_same_time_get_folders_of_their_own(settings: Settings) -> None:
    Runner(settings).list()  # the store is there
    context = multiprocessing.get_context("spawn")
    ready, names = context.Barrier(6), context.Queue()
    started = [
        context.Process(target=_submit_in_a_process, args=(settings, call, ready, names)) for call in "abcaba"
    ]  # fmt: skip
    for process in started:
        process.start()
    found = [names.get(timeout=BOUND_S) for _ in started]
    for process in started:
        process.join()

    assert len(set(found)) == 3, "the same call is one job"
    assert {name for _, name in found} == {"anna", "anna-2", "anna-3"}


def test_a_kind_whose_folder_is_not_its_work_gets_one_beside_what_it_continues(settings: Settings) -> None:
    from tiny_kinds import COUNT, CountParams

    runner = Runner(settings)
    old = runner.submit(COUNT, CountParams(n=5), fingerprint="a", not_before=LATER).job
    runner.cancel(old.job_id)
    (Path(old.folder) / "out").mkdir(parents=True)
    beside = replace(folder_of(settings), parameter="stop")

    found = runner.submit(COUNT, CountParams(n=5), fingerprint="a", folder=beside, not_before=LATER).job

    assert found.params["stop"] == str(settings.home / "voices" / "anna")
    assert found.params["out_dir"] == ""
