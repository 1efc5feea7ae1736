"""Estimate of a job for a dry run: time, memory, disk. Nothing is decoded.

A kind's ``plan`` comes first. The kind's cost rule adds what the plan leaves open: its time is scaled from jobs of the
same kind that have succeeded here; where there is none, the rule of thumb is used. The answer says which it was.
"""

import statistics
from collections.abc import Mapping
from typing import Any

from jobs.cost import Cost
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings

MOST_EARLIER = 20
SMALLEST_SHARE = 10  # times as large may a job be as an earlier one: most of a small one is loading


def estimate(
    kind: JobKind,
    params: Mapping[str, Any],
    runner: Runner,
    settings: Settings,
    planned: Mapping[str, Any] | None = None,
    expected: float = 0.0,
) -> dict[str, Any]:
    """Estimate what a job will take; empty when its plan says all, or there is no rule or no input to measure.

    ``expected``: amount of an input that the steps before have not written yet.
    """
    rule = kind.cost
    amount = (rule.measure(params, planned) or expected) if rule is not None else 0.0
    if rule is None or not amount:
        return {}
    rates = _earlier_rates(rule, kind, params, amount, runner) if settings.home.exists() else []
    seconds = amount * statistics.median(rates) if rates else rule.s_fixed + amount * rule.s_each
    disk_mb, free_mb = amount * rule.bytes_each / 1e6, free_bytes(settings.home) / 1e6
    fits = disk_mb + settings.disk_reserve_bytes / 1e6 < free_mb
    source = f"{len(rates)} earlier here" if rates else "rule of thumb for one core; a GPU is faster"
    parts: dict[str, dict[str, Any]] = {
        "time": {"time_s": round(seconds), "time_from": source},
        "memory": {"memory_mb": rule.memory_mb},
        "disk": {"disk_mb": round(disk_mb, 1), "disk_free_mb": round(free_mb), "disk_fits": fits},
    }
    # a plan's part that only says "from" is a reason why it has no figure, and a rule of thumb has none either;
    # what was measured here is better than a plan
    if not rates and "from" in (planned or {}).get("time", ()):
        parts.pop("time")
    left_open = [
        fields
        for part, fields in parts.items()
        if not set((planned or {}).get(part, ())) - {"from"} or (part == "time" and rates)
    ]
    found = {name: value for fields in left_open for name, value in fields.items()}
    return {"input": f"{amount:.0f} {rule.unit}", **found} if found else {}


def _earlier_rates(rule: Cost, kind: JobKind, params: Mapping[str, Any], wanted: float, runner: Runner) -> list[float]:
    """Seconds per unit of the jobs that have succeeded in the same way, and were not much smaller."""
    rates = []
    for job in runner.list(kind=kind.name, state="succeeded", limit=MOST_EARLIER):
        if not rule.is_same_way(job.params, params):
            continue
        amount = rule.measure_done(job.params, job.result)
        if amount * SMALLEST_SHARE < wanted:
            continue
        if amount and job.started_at is not None and job.ended_at is not None:
            rates.append((job.ended_at - job.started_at) / amount)
    return rates
