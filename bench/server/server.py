"""Speed and memory of the MCP server, compared with a bare server of the same SDK: ``./run.sh bench server [--json]``.

Both run in turn on one interpreter, in the same minutes, so that the ratios hold on a busy machine. The bare one is
the SDK's ``MCPServer`` with one tool that gives back its text. Ours serves a home with jobs of its own making.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from bench.support.figure import Figure
from bench.support.mcp_servers import Launcher, Server, http_client
from jobs.settings import PROJECT_ROOT, Settings

N_STARTS, N_CALLS, N_LONG, N_JOBS, N_CLIENTS, N_EACH = 9, 300, 4000, 20, 8, 50
AUDIO = PROJECT_ROOT / "samples" / "fables.m4b"


def timed_ms(work: Callable[[], object]) -> float:
    """Return the milliseconds of a call."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def starting(launcher: Launcher) -> list[Figure]:
    """Time from the start of a process to its first answer, both servers in turn."""
    bare: list[Any] = []
    ours: list[Any] = []
    for _ in range(N_STARTS):
        for found, make in ((bare, launcher.bare), (ours, launcher.ours)):
            server = make()
            found.append(server.cold_start_s)
            server.close()
    ratio = statistics.median(ours) / statistics.median(bare)
    detail = f"{statistics.median(ours) * 1e3:.0f} ms against {statistics.median(bare) * 1e3:.0f} ms"
    return [Figure("cold start", ratio, 1.3, "×", detail)]


def jobs_that_wait(server: Server) -> tuple[list[str], list[Figure]]:
    """Start jobs by the real tool, none of which runs before tomorrow; return their ids and figures."""
    arguments = {"audio": str(AUDIO), "voice": "bench", "not_before": "1d", "reuse": False}
    job_ids, took = [], []
    for _ in range(N_JOBS):
        began = time.perf_counter()
        job = server.call("ingest_audiobook", **arguments)["structuredContent"]
        took.append((time.perf_counter() - began) * 1e3)
        job_ids.append(job["job_id"])
    python = statistics.median(
        timed_ms(lambda: subprocess.run([sys.executable, "-c", ""], check=True)) for _ in range(5)
    )
    detail = (
        f"median {statistics.median(took):.0f} ms; the first, which starts the supervisor, {took[0]:.0f} ms; "
        f"a bare interpreter takes {python:.0f} ms to start here now"
    )
    return job_ids, [Figure("start_* answers, slowest", max(took), 300, "ms", detail)]


def calling(bare: Server, ours: Server, job_ids: Sequence[str]) -> list[Figure]:
    """Time of single calls, both servers in turn."""
    looks: dict[str, Callable[[], object]] = {
        "echo": lambda: bare.call("echo", text="a"),
        "get_job": lambda: ours.call("get_job", job_id=job_ids[0]),
        "list_jobs": lambda: ours.call("list_jobs"),
    }
    took: dict[str, list[float]] = {name: [] for name in looks}
    for _ in range(N_CALLS):
        for name, look in looks.items():
            took[name].append(timed_ms(look))
    echo = statistics.median(took.pop("echo"))
    return [
        Figure(
            f"{name} p50",
            statistics.median(found) / echo,
            2,
            "×",
            f"{statistics.median(found):.2f} ms against {echo:.2f} ms for an echo; p99 "
            f"{statistics.quantiles(found, n=100)[-1]:.1f} ms",
        )
        for name, found in took.items()
    ]


def remembering(bare: Server, ours: Server, job_ids: Sequence[str]) -> list[Figure]:
    """Memory of both after the same number of calls, and its growth in ours over thousands more."""
    before = ours.rss_mb()
    ratio = before / bare.rss_mb()
    detail = f"{before:.0f} MB against {bare.rss_mb():.0f} MB after {N_CALLS} calls"
    told = [before]
    for _ in range(3):
        for place in range(N_LONG):
            if place % 2:
                ours.call("list_jobs")
            else:
                ours.call("get_job", job_id=job_ids[place % len(job_ids)])
        told.append(ours.rss_mb())
    # caches and the allocator's arenas fill in the first thousands of calls (3.4 MB measured), then it stands still
    grown = told[-1] - told[-2]
    each = ", ".join(f"{later - earlier:+.1f}" for earlier, later in itertools.pairwise(told))
    return [
        Figure("resident memory", ratio, 1.4, "×", detail),
        # a leak of 1 KiB a call would be 4 MB
        Figure(f"memory grown over {N_LONG} calls", grown, 1, "MB", f"by {N_LONG} calls: {each} MB; the last counts"),
    ]


def several(launcher: Launcher, job_ids: Sequence[str]) -> list[Figure]:
    """Errors of simultaneous clients: each with a server of its own on one home, then all of them at one port."""

    def on_stdio(place: int) -> int:
        server = launcher.ours()
        try:
            return _errors(lambda: server.call("get_job", job_id=job_ids[place]), lambda: server.call("list_jobs"))
        finally:
            server.close()

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        stdio = sum(clients.map(on_stdio, range(N_CLIENTS)))
        with launcher.http() as (url, token):
            began = time.perf_counter()
            port = sum(clients.map(lambda place: _over_http(url, token, job_ids[place]), range(N_CLIENTS)))
            rate = N_CLIENTS * N_EACH * 2 / (time.perf_counter() - began)
    calls = f"of {N_CLIENTS * N_EACH * 2} calls"
    return [
        Figure(f"errors of {N_CLIENTS} clients on stdio", stdio, 0, "", calls),
        Figure(f"errors of {N_CLIENTS} clients over HTTP", port, 0, "", f"{calls}; {rate:.0f} calls a second"),
    ]


def _errors(*calls: Callable[[], object]) -> int:
    errors = 0
    for _ in range(N_EACH):
        for call in calls:
            try:
                call()
            except (RuntimeError, KeyError, ValueError, httpx.HTTPError):
                errors += 1
    return errors


def _over_http(url: str, token: str, job_id: str) -> int:
    with http_client(url, token) as call:
        return _errors(lambda: call("get_job", job_id=job_id), lambda: call("list_jobs"))


def measured(launcher: Launcher) -> Iterator[Figure]:
    """Measure everything; yields each figure as soon as it is known."""
    yield from starting(launcher)
    bare, ours = launcher.bare(), launcher.ours()
    try:
        job_ids, figures = jobs_that_wait(ours)
        yield from figures
        yield from calling(bare, ours, job_ids)
        yield from remembering(bare, ours, job_ids)
        yield from several(launcher, job_ids)
        for job_id in job_ids:
            ours.call("cancel_job", job_id=job_id)
    finally:
        bare.close()
        ours.close()


def main() -> int:
    """Measure and print; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="run.sh bench server", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    own = Settings.from_environment().python("server")
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench-server-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        # the bound on requests a second is for agents that run wild; here it would measure itself
        (home / "config.toml").write_text("[http]\nmax_per_s = 100000\n")
        for figure in measured(Launcher(home, str(own) if own.exists() else sys.executable)):
            figures.append(figure)
            if not options.json:
                good = "ok  " if figure.is_good else "MISS"
                print(
                    f"{good} {figure.name:38}{figure.value:8.2f} {figure.unit:3} (≤ {figure.target:g})  {figure.detail}"
                )
                sys.stdout.flush()
    if options.json:
        print(json.dumps([asdict(figure) | {"is_good": figure.is_good} for figure in figures], ensure_ascii=False))
    return 0 if all(figure.is_good for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
