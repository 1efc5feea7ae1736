"""Scheduler: the queued jobs that start now, their slots, and the reasons why free slots are not used. stdlib only.

Per resource, the highest priority first, then the oldest; a slot is leased in the transaction that claims the job.
"""

import json
import math
import time
from dataclasses import dataclass, replace

from jobs.files import records
from jobs.runner.machine import preflight
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.settings import Settings

N_DIRECTORS = 16  # they only wait for other jobs
N_SERVICES = 4  # they give their memory back when other jobs want it
# A process that has just started does not have all of its memory yet: for so long its declared need counts as taken.
MEMORY_SETTLES_S = 60.0
LOOK_FURTHER = 16


@dataclass(frozen=True)
class ClaimedJob:
    """A claimed job: its row as it is now, and variables for its processes."""

    row: JobRow
    variables: dict[str, str]


class Scheduler:
    """Chooser of jobs, one per supervisor. It keeps only the reasons why slots stay free."""

    def __init__(self, settings: Settings, store: Store, gpus: Gpus) -> None:
        self._settings = settings
        self._home = Home(settings.home)
        self._store = store
        self._gpus = gpus
        self.holds: dict[str, str] = {}  # resource: why its free slots are not given away

    def n_slots(self, resource: str) -> int:
        """Jobs of a resource at a time."""
        if resource == "director":
            return N_DIRECTORS
        if resource == "service":
            return N_SERVICES
        if resource != "gpu":
            return self._settings.cpu_slots
        if self._settings.gpu_slots is not None:
            return self._settings.gpu_slots
        return max(1, len(self._gpus.uuids))  # also without a GPU: the work then runs on the CPU

    def claim_ready(self) -> list[ClaimedJob]:
        """Claim what can start on this machine."""
        self.holds = {}
        if preflight.free_bytes(self._settings.home) < self._settings.disk_reserve_bytes:
            self.holds["disk"] = "less disk space than the reserve is free: no job is started"
            return []
        return [*self._claim("gpu"), *self._claim("cpu"), *self._claim("director"), *self._claim("service")]

    def _claim(self, resource: str) -> list[ClaimedJob]:
        leased = self._store.leases(resource)
        n_slots = self.n_slots(resource)
        n_free = n_slots - len(leased)
        if n_free <= 0:
            return []
        available_mb = self._available_mb()
        # Jobs that may use other GPUs only are passed over: look a little further than there are slots.
        rows = self._store.next_ready(resource, n_free + LOOK_FURTHER, available_mb)
        units = [unit for unit in range(n_slots) if unit not in leased][:n_free] if rows else []
        if resource == "gpu" and units:
            units = self._without_foreign(units)
        started: list[ClaimedJob] = []
        for row in rows:
            n_units = self._n_units(row)
            usable = [unit for unit in units if self._may_use(row, unit)][:n_units]
            if len(usable) < n_units and n_units > 1:
                self.holds.setdefault(
                    resource, f"{row.id} waits for {n_units} GPUs at once; those that are free are kept"
                )
                break  # what is free is kept for it, or smaller jobs would pass it for ever
            if len(usable) < n_units or (row.memory_mb or 0) > available_mb:
                continue
            if self._store.claim(row.id, row.attempt, [(resource, unit) for unit in usable]):
                units = [unit for unit in units if unit not in usable]
                available_mb -= row.memory_mb or 0
                claimed = replace(row, attempt=row.attempt + 1, state="starting")
                started.append(ClaimedJob(claimed, self._variables(row, usable)))
        return started

    def _n_units(self, row: JobRow) -> int:
        """Slots that a job needs at once: a GPU for each of its processes; one where there is no GPU.

        At most those there are: work that needs more starts, and says that it does.
        """
        if row.resource != "gpu" or not self._gpus.uuids:
            return 1
        return max(1, min(_n_processes(row), len(self._allowed(row)) or self.n_slots("gpu")))

    def _available_mb(self) -> float:
        memory = preflight.memory_of_machine()
        if memory is None:
            return math.inf
        young = time.time() - MEMORY_SETTLES_S
        active = self._store.in_state("starting", "running")
        promised = [row.memory_mb or 0 for row in active if (row.started_at or math.inf) > young]
        return memory.available_mb - sum(promised)

    def _without_foreign(self, units: list[int]) -> list[int]:
        """Return the units whose GPU no other process uses. Such processes are waited for, not killed."""
        if not self._settings.check_gpu_free or self.n_slots("gpu") > max(1, len(self._gpus.uuids)):
            return units  # several jobs a GPU: it is meant to be shared
        services = self._pids_of_services()
        known = self._gpus.users().items()
        users = {device: left for device, pids in known if (left := [pid for pid in pids if pid not in services])}
        taken = {device: users[device] for unit in units if (device := self._device(unit)) in users}
        if taken:
            pids = [f"GPU {device}, which process {_listed(found)} uses" for device, found in sorted(taken.items())]
            self.holds["gpu"] = f"waits for {'; '.join(pids)}"
        return [unit for unit in units if self._device(unit) not in taken]

    def _pids_of_services(self) -> set[int]:
        """Return the workers that serve: they give a GPU's memory back, so no job waits for them."""
        rows = self._store.in_state("starting", "running")
        starts = [
            records.read_record(self._home.attempt(row.id, row.attempt).start)
            for row in rows
            if row.resource == "service"
        ]
        return {int(start["pid"]) for start in starts if start}

    def _device(self, unit: int) -> int | None:
        """Index of a unit's GPU; None without one. With more slots than GPUs they are shared in turn."""
        devices = sorted(self._gpus.uuids)
        return devices[unit % len(devices)] if devices else None

    def _may_use(self, row: JobRow, unit: int) -> bool:
        if row.resource != "gpu":
            return True
        allowed = self._allowed(row)
        return not allowed or self._device(unit) in allowed

    def _allowed(self, row: JobRow) -> frozenset[int]:
        """GPUs of ours that the submitter's CUDA_VISIBLE_DEVICES names; empty when it names none of them."""
        ours = {self._device(unit) for unit in range(self.n_slots("gpu"))}
        return self._gpus.allowed(_visible(row)) & ours

    def _variables(self, row: JobRow, units: list[int]) -> dict[str, str]:
        visible = _visible(row)
        if row.resource == "gpu" and self._allowed(row):
            visible = ",".join(str(self._device(unit)) for unit in units)
        if visible is None:
            return {}
        # Counted as nvidia-smi does; without it CUDA puts the fastest first.
        return {"CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def _n_processes(row: JobRow) -> int:
    try:
        return int(json.loads(row.document)["params"].get("n_processes") or 1)
    except (ValueError, TypeError, KeyError, AttributeError):
        return 1  # the worker will say what is wrong with it


def _visible(row: JobRow) -> str | None:
    """Return the CUDA_VISIBLE_DEVICES of the job's submitter."""
    try:
        value = json.loads(row.document).get("settings", {}).get("gpus")
    except (ValueError, AttributeError):
        return None  # the worker will say what is wrong with it
    return None if value is None else str(value)


def _listed(pids: list[int]) -> str:
    return ", ".join(str(pid) for pid in sorted(pids))
