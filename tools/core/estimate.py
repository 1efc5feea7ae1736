"""Estimate of a job for a dry run: time, memory, disk. Nothing is decoded.

Time is scaled from jobs of the same kind that have succeeded here; where there is none, the rule of thumb of the kind
is used. The answer says which it was. A kind with a ``plan`` knows more and adds it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings

MOST_EARLIER = 20


def estimate(kind: JobKind, params: Mapping[str, Any], runner: Runner, settings: Settings) -> dict[str, Any]:
    """Estimate what a job will take; empty when the kind has no rule or its input cannot be measured yet."""
    rule = kind.cost
    amount = rule.measure(params) if rule is not None else 0.0
    if rule is None or not amount:
        return {}
    rates = _earlier_rates(kind, runner) if settings.home.exists() else []
    seconds = amount * statistics.median(rates) if rates else rule.s_fixed + amount * rule.s_each
    disk_mb, free_mb = amount * rule.bytes_each / 1e6, free_bytes(settings.home) / 1e6
    return {
        "input": f"{amount:.0f} {rule.unit}",
        "time_s": round(seconds),
        "time_from": f"{len(rates)} earlier here" if rates else "rule of thumb for one core; a GPU is faster",
        "memory_mb": rule.memory_mb,
        "disk_mb": round(disk_mb, 1),
        "disk_free_mb": round(free_mb),
        "disk_fits": disk_mb + settings.disk_reserve_bytes / 1e6 < free_mb,
    }


def _earlier_rates(kind: JobKind, runner: Runner) -> list[float]:
    """Seconds per unit of the jobs that have succeeded."""
    assert kind.cost is not None
    rates = []
    for job in runner.list(kind=kind.name, state="succeeded", limit=MOST_EARLIER):
        amount = kind.cost.measure(job.params)
        if amount and job.started_at is not None and job.ended_at is not None:
            rates.append((job.ended_at - job.started_at) / amount)
    return rates
