"""Which job starts next, and on which slot."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from jobs.files import records
from jobs.runner.attempt.outcome import Outcome
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.runner.store.watch import find_wanting
from jobs.runner.supervisor.scheduler import Scheduler
from jobs.settings import Settings

UUIDS = [f"GPU-0000000{index}-0000-4000-8000-000000000000" for index in range(4)]
Insert = Callable[..., str]
Make = Callable[..., Scheduler]


class Driver:
    """nvidia-smi of a machine with some GPUs, on some of which processes compute."""

    def __init__(self, n_gpus: int, users: dict[int, int] | None = None) -> None:
        self.n_gpus = n_gpus
        self.users = users or {}

    def __call__(self, arguments: Sequence[str]) -> str:
        if arguments[0] == "-L":
            return "".join(f"GPU {index}: Some (UUID: {UUIDS[index]})\n" for index in range(self.n_gpus))
        return "".join(f"{UUIDS[index]}, {pid}\n" for index, pid in self.users.items())


@pytest.fixture
def insert(store: Store) -> Insert:
    """Put a queued job into the store; columns may be given."""

    def insert(job_id: str, *, gpus: str | None = None, after: Sequence[str] = (), **columns: Any) -> str:
        row = {
            "id": job_id, "kind": "add", "spec_hash": "h", "document": json.dumps({"settings": {"gpus": gpus}}),
            "resource": "cpu", "environment": "ml", "max_tries": 3, "created_at": 0.0,
        }  # fmt: skip
        with store.transaction() as connection:
            store.insert(connection, row | columns, None, after)
        return job_id

    return insert


@pytest.fixture
def make(store: Store, settings: Settings) -> Make:
    """A scheduler of a machine with some GPUs; settings may be changed."""

    def make(driver: Driver | None = None, **changes: Any) -> Scheduler:
        return Scheduler(replace(settings, **changes), store, Gpus(driver or Driver(0)))

    return make


def _started(scheduler: Scheduler) -> list[str]:
    return [start.row.id for start in scheduler.claim_ready()]


def test_the_highest_priority_goes_first_and_then_the_oldest(insert: Insert, make: Make) -> None:
    for job_id, priority in (("old", 0), ("urgent", 5), ("young", 0), ("also urgent", 5), ("late", -1)):
        insert(job_id, priority=priority)

    assert _started(make(cpu_slots=4)) == ["urgent", "also urgent", "old", "young"]


def test_slots_in_use_are_not_given_twice_and_come_back(insert: Insert, make: Make, store: Store) -> None:
    for number in range(4):
        insert(f"job-{number}")
    scheduler = make(cpu_slots=2)

    assert _started(scheduler) == ["job-0", "job-1"]
    assert _started(scheduler) == []
    store.begin("job-0", 1)
    store.finish("job-0", 1, Outcome("succeeded"))
    store.unclaim("job-1", 1, 60.0)
    assert _started(scheduler) == ["job-2", "job-3"]
    assert store.leases("cpu") == {0: "job-2", 1: "job-3"}


def test_two_supervisors_that_claim_at_once_share_neither_job_nor_unit(insert: Insert, store: Store) -> None:
    insert("a")
    insert("b")

    assert store.claim("a", 0, [("gpu", 0)])
    assert not store.claim("b", 0, [("gpu", 0)])  # the unit is taken
    assert not store.claim("a", 0, [("gpu", 1)])  # the job is
    assert store.leases("gpu") == {0: "a"}
    b = store.get("b")
    assert b is not None
    assert (b.state, b.attempt) == ("queued", 0)
    with pytest.raises(sqlite3.IntegrityError):
        store.connection.execute("INSERT INTO leases VALUES('gpu', 0, 'b', 1)")


def test_every_gpu_of_the_driver_is_a_slot_and_each_job_sees_its_own(insert: Insert, make: Make) -> None:
    for number in range(3):
        insert(f"job-{number}", resource="gpu")

    starts = make(Driver(2)).claim_ready()

    assert [(start.row.id, start.variables["CUDA_VISIBLE_DEVICES"]) for start in starts] == [
        ("job-0", "0"),
        ("job-1", "1"),
    ]


def together(n_processes: int) -> str:
    return json.dumps({"params": {"n_processes": n_processes}, "settings": {"gpus": None}})


def test_work_in_several_processes_gets_a_gpu_for_each_and_nobody_passes_it(
    insert: Insert, make: Make, store: Store
) -> None:
    scheduler = make(Driver(3))
    insert("first", resource="gpu")
    insert("three", resource="gpu", document=together(3))
    insert("small", resource="gpu")

    assert _started(scheduler) == ["first"]
    assert scheduler.holds["gpu"] == "three waits for 3 GPUs at once; those that are free are kept"
    store.begin("first", 1)
    store.finish("first", 1, Outcome("succeeded"))
    starts = scheduler.claim_ready()

    assert [(start.row.id, start.variables["CUDA_VISIBLE_DEVICES"]) for start in starts] == [("three", "0,1,2")]
    assert store.leases("gpu") == dict.fromkeys(range(3), "three")


def test_work_in_more_processes_than_there_are_gpus_starts_and_can_say_so(insert: Insert, make: Make) -> None:
    insert("eight", resource="gpu", document=together(8))

    assert make(Driver(2)).claim_ready()[0].variables["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_without_a_gpu_work_in_several_processes_takes_one_slot(insert: Insert, make: Make) -> None:
    insert("two", resource="gpu", document=together(2))

    assert _started(make(Driver(0))) == ["two"]


def test_without_a_gpu_work_for_one_still_runs_one_at_a_time(insert: Insert, make: Make) -> None:
    insert("a", resource="gpu")
    insert("b", resource="gpu")

    starts = make(Driver(0)).claim_ready()

    assert [(start.row.id, start.variables) for start in starts] == [("a", {})]


def test_more_slots_than_gpus_share_them(insert: Insert, make: Make) -> None:
    for number in range(3):
        insert(f"job-{number}", resource="gpu")

    starts = make(Driver(2, users={0: 99}), gpu_slots=3).claim_ready()

    assert [start.variables["CUDA_VISIBLE_DEVICES"] for start in starts] == ["0", "1", "0"]


def test_the_submitters_choice_of_gpus_is_kept(insert: Insert, make: Make) -> None:
    insert("only 1", resource="gpu", gpus="1")
    insert("1 as well", resource="gpu", gpus=UUIDS[1])
    insert("any", resource="gpu")
    insert("none", gpus="")

    starts = make(Driver(2)).claim_ready()

    assert {start.row.id: start.variables["CUDA_VISIBLE_DEVICES"] for start in starts} == {
        "only 1": "1",
        "any": "0",
        "none": "",
    }


def test_a_gpu_on_which_somebody_computes_is_waited_for_and_told(insert: Insert, make: Make) -> None:
    driver = Driver(2, users={0: 4711, 1: 4712})
    insert("a", resource="gpu")
    insert("b")
    scheduler = make(driver)

    assert _started(scheduler) == ["b"]
    assert scheduler.holds == {
        "gpu": "waits for GPU 0, which process 4711 uses; GPU 1, which process 4712 uses",
    }

    driver.users = {0: 4711}
    starts = scheduler.claim_ready()
    assert [start.variables["CUDA_VISIBLE_DEVICES"] for start in starts] == ["1"]


def test_a_service_takes_no_slot_of_others_and_its_use_of_a_gpu_is_not_waited_for(
    insert: Insert, make: Make, store: Store, settings: Settings
) -> None:
    service = insert("serve_voice-20260101-000000-0001", resource="service")
    scheduler = make(Driver(1, users={0: 4711}))
    first = _started(scheduler)
    attempt = Home(settings.home).attempt(service, 1)
    attempt.path.mkdir(parents=True)
    records.write_record(attempt.start, {"pid": 4711, "start_time": 0})
    store.begin(service, 1)
    insert("b", resource="gpu")

    assert first == [service]
    assert _started(scheduler) == ["b"]
    assert scheduler.holds == {}


def test_a_host_sees_the_jobs_that_would_use_the_gpu(insert: Insert, store: Store, settings: Settings) -> None:
    home = Home(settings.home)

    def look() -> str:
        return find_wanting(home, "gpu", ("synthesize",))

    insert("cpu job")
    insert("spoken", resource="gpu", kind="synthesize")
    insert("later", resource="gpu", kind="training", not_before=time.time() + 1000)
    insert("chained", resource="gpu", kind="training", after=["later"])
    nothing_waits = look()
    insert("ready", resource="gpu", kind="training")
    waits = look()
    store.claim("spoken", 0, [("gpu", 0)])
    waits_for_the_spoken = look()
    store.claim("ready", 0, [("gpu", 1)])

    assert (nothing_waits, waits, waits_for_the_spoken, look()) == ("", "ready", "", "ready")


def test_a_host_does_not_yield_to_the_jobs_that_it_speaks_for(insert: Insert, store: Store, settings: Settings) -> None:
    home = Home(settings.home)

    def look() -> str:
        return find_wanting(home, "gpu", ("synthesize",), lambda kind, document: "ours" in json.loads(document)["kind"])

    insert("ours", resource="gpu", kind="narrate", document=json.dumps({"kind": "ours"}))
    waits = look()
    store.claim("ours", 0, [("gpu", 0)])
    runs = look()
    insert("theirs", resource="gpu", kind="narrate", document=json.dumps({"kind": "theirs"}))
    store.claim("theirs", 0, [("gpu", 1)])

    assert (waits, runs, look()) == ("", "", "theirs")


def test_a_user_may_switch_the_look_at_the_gpu_off(insert: Insert, make: Make) -> None:
    insert("a", resource="gpu")

    assert _started(make(Driver(1, users={0: 4711}), check_gpu_free=False)) == ["a"]


def test_a_job_waits_for_its_time_and_what_it_needs(insert: Insert, make: Make, store: Store) -> None:
    insert("first")
    insert("then", after=["first"])
    insert("tomorrow", not_before=time.time() + 86_400)
    insert("was due", not_before=time.time() - 1)
    scheduler = make(cpu_slots=4)

    assert _started(scheduler) == ["first", "was due"]
    store.begin("first", 1)
    assert _started(scheduler) == []
    store.finish("first", 1, Outcome("succeeded"))
    assert _started(scheduler) == ["then"]
    due = store.next_due()
    assert due is not None
    assert 86_000 < due - time.time() < 87_000


def test_a_pause_before_a_retry_ends_although_the_clock_was_set_back(insert: Insert, make: Make) -> None:
    insert("retried", attempt=1, tries=1, not_before=time.time() + 86_400)

    assert _started(make()) == ["retried"]


def test_a_job_that_declares_more_memory_than_there_is_lets_others_pass(insert: Insert, make: Make) -> None:
    insert("large", memory_mb=10**9)
    insert("small", memory_mb=1)

    assert _started(make(cpu_slots=2)) == ["small"]


def test_below_the_disk_reserve_nothing_starts(insert: Insert, make: Make) -> None:
    insert("a")
    scheduler = make(disk_reserve_bytes=10**18)

    assert _started(scheduler) == []
    assert "disk" in scheduler.holds


def test_jobs_of_another_backend_take_no_slot_here(insert: Insert, make: Make, store: Store) -> None:
    insert("far", backend="slurm", resource="gpu")
    insert("near", resource="gpu")

    assert _started(make()) == ["near"]
    assert [row.id for row in store.next_ready_elsewhere(5)] == ["far"]


def test_ten_thousand_waiting_jobs_of_one_resource_do_not_starve_the_other(
    insert: Insert, make: Make, store: Store
) -> None:
    """Rule 8 of ``jobs.runner``: schedule per resource."""
    with store.transaction() as connection:
        connection.executemany(
            "INSERT INTO jobs(id, kind, spec_hash, document, resource, environment, max_tries, created_at, priority) "
            "VALUES(?, 'add', 'h', '{}', 'gpu', 'ml', 1, 0, 9)",
            [(f"gpu-{number}",) for number in range(10_000)],
        )
    insert("cpu")

    assert _started(make()) == ["gpu-0", "cpu"]
