"""Totals of a chain of jobs for a dry run: time, memory, disk and downloads of all steps, and what does not fit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PlannedStep:
    """Estimate and plan of one job, as its dry run shows them."""

    tool: str
    estimate: Mapping[str, Any]
    plan: Mapping[str, Any]

    @property
    def minutes(self) -> float | None:
        """Time; None: unknown."""
        planned = self.plan.get("time", {}).get("about_min")
        seconds = self.estimate.get("time_s")
        return seconds / 60 if seconds is not None else None if planned is None else float(planned)

    @property
    def memory_gb(self) -> float | None:
        """Largest memory, of the GPU or the machine; None: unknown."""
        planned = self.plan.get("memory", {})
        megabytes = planned.get("memory_mb", self.estimate.get("memory_mb"))
        return float(planned["peak_gb"]) if "peak_gb" in planned else None if megabytes is None else megabytes / 1000

    @property
    def disk_gb(self) -> float | None:
        """Space for what it writes; None: unknown."""
        planned = self.plan.get("disk", {})
        megabytes = planned.get("need_mb", self.estimate.get("disk_mb"))
        return float(planned["need_gb"]) if "need_gb" in planned else None if megabytes is None else megabytes / 1000

    @property
    def download_gb(self) -> float:
        """Size of what is downloaded once."""
        return float(self.plan.get("download_gb", self.plan.get("disk", {}).get("download_gb", 0.0)))


def total(steps: Sequence[PlannedStep], free_gb: float) -> dict[str, Any]:
    """Sum up a chain whose steps run one after another; parts that no step knows are named, not counted as nothing."""
    minutes, memory, disk = (
        {step.tool: getattr(step, name) for step in steps} for name in ("minutes", "memory_gb", "disk_gb")
    )
    downloads = {step.tool: step.download_gb for step in steps if step.download_gb}
    need_gb = sum(size or 0.0 for size in disk.values()) + sum(downloads.values())
    found: dict[str, Any] = {
        "about_min": round(sum(value or 0.0 for value in minutes.values()), 1),
        "memory_gb": round(max((value or 0.0 for value in memory.values()), default=0.0), 1),
        "disk_gb": round(need_gb, 2),
        "disk_free_gb": round(free_gb, 1),
        "download_gb": round(sum(downloads.values()), 2),
        "fits": need_gb < free_gb and not any(True for step in steps for _ in find_misfits(step.plan, step.estimate)),
    }
    for name, values in (("time", minutes), ("memory", memory), ("disk", disk)):
        if unknown := [tool for tool, value in values.items() if value is None]:
            found[f"{name}_unknown_of"] = unknown
    return found


def find_misfits(plan: Mapping[str, Any], estimate: Mapping[str, Any]) -> Iterator[str]:
    """Iterate over what a plan says does not fit, with the cheapest change where it names one."""
    for name in ("memory", "disk"):
        part = plan.get(name)
        if isinstance(part, Mapping) and part.get("fits") is False:
            need = part.get("peak_gb", part.get("need_gb"))
            need = f"{need:g} GB" if need is not None else f"{part.get('need_mb', 0):g} MB"
            change = f" Cheapest change: {part['cheapest_change']}." if part.get("cheapest_change") else ""
            yield f"{name} needs {need}, and {part.get('free_gb', 0):g} GB are free.{change}"
    if estimate.get("disk_fits") is False:
        yield f"disk needs {estimate['disk_mb']:g} MB, and {estimate['disk_free_mb']:g} MB are free."


def begin_text(call: str, misfits: Sequence[str]) -> str:
    """Return the ``next`` of a dry run: the call that starts, or why it should not be made as it is."""
    if misfits:
        return f"Nothing was started, and it does not fit here: {' '.join(misfits)} The call as it is: {call}"
    return f"Nothing was started. To start it call {call}"
