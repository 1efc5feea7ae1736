"""Speed and memory of the job runner: ``./run.sh bench runner [--json]``.

Runs real jobs in a home of its own: submitting, starting, status, a long history, a long queue, an idle supervisor,
cancelling. Prints each figure beside its target, with what an fsync costs on this disk in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.support.figure import Figure
from bench.support.runner_kind import CPU, GPU, Params
from jobs.runner.client.runner import Runner
from jobs.runner.machine import processes
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings

N_JOBS, N_LOOKS, N_HISTORY, N_QUEUED, IDLE_S = 40, 200, 100_000, 10_000, 20.0


def at(share: float, values: Sequence[float]) -> float:
    """Return a quantile by rank."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def timed_ms(work: Callable[[], object], count: int) -> list[float]:
    """Measure the milliseconds of each of ``count`` calls."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1e3)
    return found


def fsync_ms(folder: Path) -> list[float]:
    """Measure the time of an fsync of 4 KiB, in milliseconds."""
    descriptor = os.open(folder / "fsync", os.O_CREAT | os.O_WRONLY)

    def once() -> None:
        os.pwrite(descriptor, b"x" * 4096, 0)
        os.fsync(descriptor)

    return timed_ms(once, 100)


def starting(runner: Runner) -> list[Figure]:
    """Submit one job after another."""
    runner.wait(runner.submit(CPU, Params(number=-1)).job.job_id, 60)  # the supervisor's own start is not the job's
    submitting, until_running = [], []
    for number in range(N_JOBS):
        began, clock = time.perf_counter(), time.time()
        job_id = runner.submit(CPU, Params(number=number)).job.job_id
        submitting.append((time.perf_counter() - began) * 1e3)
        started_at = runner.wait(job_id, 60).started_at
        assert started_at is not None
        until_running.append((started_at - clock) * 1e3)
    return [
        Figure("submit, p99", at(0.99, submitting), 50, "ms", f"p50 {at(0.5, submitting):.1f}"),
        Figure("submit to running, p99", at(0.99, until_running), 300, "ms", f"p50 {at(0.5, until_running):.0f}"),
    ]


def looking(runner: Runner, store: Store) -> list[Figure]:
    """With a long history."""
    document = json.dumps({"params": {"number": 1}, "settings": {}})
    rows = [(f"bench_cpu-20260101-{number // 65536:06d}-{number % 65536:04x}", document) for number in range(N_HISTORY)]
    with store.transaction() as connection:
        connection.executemany(
            "INSERT INTO jobs(id, kind, spec_hash, document, resource, environment, max_tries, created_at, state, "
            "ended_at) VALUES(?, 'bench_cpu', '', ?, 'cpu', 'ml', 1, 0, 'succeeded', 1)",
            rows,
        )
    one = timed_ms(lambda: runner.get(rows[N_HISTORY // 2][0]), N_LOOKS)
    many = timed_ms(lambda: runner.list(limit=50), N_LOOKS)
    return [
        Figure("status by id, 100,000 jobs, p99", at(0.99, one), 5, "ms", f"p50 {at(0.5, one):.2f}"),
        Figure("list of 50, 100,000 jobs, p99", at(0.99, many), 20, "ms", f"p50 {at(0.5, many):.2f}"),
    ]


def queueing(runner: Runner, folder: Path) -> list[Figure]:
    """Ten thousand jobs wait for one resource; a job of the other must not notice."""
    gate = folder / "queue"
    with runner.together():
        ids = [runner.submit(GPU, Params(gate=str(gate), number=n)).job.job_id for n in range(N_QUEUED)]
    until_running = []
    for number in range(10):
        clock = time.time()
        started_at = runner.wait(runner.submit(CPU, Params(number=10_000 + number)).job.job_id, 60).started_at
        assert started_at is not None
        until_running.append((started_at - clock) * 1e3)
    for job_id in reversed(ids):
        runner.cancel(job_id)
    return [Figure("submit to running beside 10,000 queued, max", max(until_running), 1000, "ms")]


def idling(runner: Runner, home: Home, folder: Path) -> list[Figure]:
    """The supervisor while one job runs and one waits."""
    gate = folder / "idle"
    ids = [runner.submit(CPU, Params(gate=str(gate), number=20_000 + number)).job.job_id for number in range(2)]
    time.sleep(2)
    pid = int(home.supervisor_lock.read_text())
    used_s = _cpu_s(pid)
    time.sleep(IDLE_S)
    share = 100 * (_cpu_s(pid) - used_s) / IDLE_S
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    rss_kib = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    gate.touch()
    for job_id in ids:
        runner.wait(job_id, 60)
    return [Figure("idle CPU", share, 0.1, "%"), Figure("supervisor RSS", rss_kib / 1024, 40, "MiB")]


def cancelling(runner: Runner, folder: Path) -> list[Figure]:
    """A job that stops when asked, and one that does not and has an escaped child."""
    figures = []
    for name, resists, target in (("cooperative", False, 1.0), ("forced, escaped child", True, 10.0)):
        gate = folder / f"cancel-{resists}"
        job_id = runner.submit(CPU, Params(gate=str(gate), resists=resists, number=30_000)).job.job_id
        wanted = Path(f"{gate}.child") if resists else None
        while runner.get(job_id).state != "running" or (wanted is not None and not wanted.exists()):
            time.sleep(0.01)
        time.sleep(0.5)
        began = time.perf_counter()
        runner.cancel(job_id)
        record = runner.wait(job_id, 60)
        took_s = time.perf_counter() - began
        left = wanted is not None and processes.start_time(int(wanted.read_text())) is not None
        assert record.state == "cancelled", record
        detail = "the grace of 8 s is in it; " if resists else ""
        figures.append(
            Figure(f"cancel, {name}", took_s, target, "s", detail + ("A CHILD IS LEFT" if left else "nothing is left"))
        )
        assert not left
    return figures


def _cpu_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench runner", description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench-runner-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        python = folder / "envs" / "ml" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        settings = Settings(home=folder / "home", envs=folder / "envs", roots=(folder,), disk_reserve_bytes=1_000_000)
        runner, home = Runner(settings), Home(settings.home)
        disk = fsync_ms(folder)
        try:
            figures = [
                *starting(runner), *idling(runner, home, folder), *cancelling(runner, folder),
                *looking(runner, Store(home)), *queueing(runner, folder),
            ]  # fmt: skip
        finally:
            os.kill(int(home.supervisor_lock.read_text()), signal.SIGKILL)
    told = {"fsync_ms": {"p50": at(0.5, disk), "p99": at(0.99, disk)}, "figures": [asdict(f) for f in figures]}
    if options.json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        for figure in figures:
            mark = "ok  " if figure.is_good else "MISS"
            sys.stdout.write(
                f"{mark} {figure.name:46}{figure.value:10.3f} {figure.unit:4} (< {figure.target:g}) {figure.detail}\n"
            )
        sys.stdout.write(f"fsync of 4 KiB here: p50 {at(0.5, disk):.2f} ms, p99 {at(0.99, disk):.2f} ms\n")
    return 0 if all(figure.is_good for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
