"""State of the machine at the top of the list: disk, memory, GPUs."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from jobs.runner.machine.nvidia_smi import GpuMemory, Gpus
from jobs.runner.machine.preflight import Memory, free_bytes, memory_of_machine

FRESH_S = 5.0


@dataclass(frozen=True)
class MachineState:
    """Free space of the home's disk, main memory, and GPUs in their order."""

    disk_free_bytes: int
    memory: Memory | None
    gpus: tuple[GpuMemory, ...]


@dataclass
class Machine:
    """Reader of the state, which asks the driver at most every five seconds."""

    home: Path
    gpus: Gpus = field(default_factory=Gpus)
    _at: float = 0.0
    _state: MachineState | None = None
    _lock: Lock = field(default_factory=Lock)

    def read(self) -> MachineState:
        """Return the state, at most five seconds old."""
        with self._lock:
            if self._state is None or time.monotonic() - self._at > FRESH_S:
                gpus = tuple(found for _, found in sorted(self.gpus.memory().items()))
                self._state = MachineState(free_bytes(self.home), memory_of_machine(), gpus)
                self._at = time.monotonic()
            return self._state
