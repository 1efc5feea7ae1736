"""GPUs of this machine by ``nvidia-smi``: number, memory, and the processes that use them. stdlib only.

The call is bounded in time; without ``nvidia-smi``, or without its answer, no GPU is known.
"""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

ASK_TIMEOUT_S = 10.0
_GPU = re.compile(r"GPU (\d+): (.*) \(UUID: (GPU-[0-9a-f-]+)\)")
_SLICE = re.compile(r"\s+MIG (\d+g\.(\d+)gb\S*)\s+Device\s+\d+: \(UUID: (MIG-[0-9a-f-]+)\)")


@dataclass(frozen=True)
class GpuMemory:
    """Memory of a GPU in bytes, and the GPU's name."""

    name: str
    total: int
    free: int


# Takes arguments, returns the output of nvidia-smi; None when there is none.
Query = Callable[[Sequence[str]], str | None]


def ask_nvidia_smi(arguments: Sequence[str]) -> str | None:
    """Run nvidia-smi."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=ASK_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout if answer.returncode == 0 else None


@dataclass
class Gpus:
    """This machine's GPUs. Their number is read once, their users each time."""

    ask: Query = ask_nvidia_smi
    _uuids: Mapping[int, str] | None = field(default=None, init=False)

    @property
    def uuids(self) -> Mapping[int, str]:
        """Index, in the order of the PCI bus, to UUID; empty on a machine without a GPU."""
        if self._uuids is None:
            self._uuids = {int(index): uuid for index, _, uuid in _GPU.findall(self.ask(["-L"]) or "")}
        return self._uuids

    def slices(self, visible: str | None) -> list[tuple[int, GpuMemory]]:
        """Return index of the GPU and memory of each MIG slice that a ``CUDA_VISIBLE_DEVICES`` names.

        The driver does not report a slice's free memory; all of it is counted as free.
        """
        wanted = [part.strip() for part in (visible or "").split(",") if part.strip().startswith("MIG-")]
        found: list[tuple[int, GpuMemory]] = []
        index, name = -1, ""
        for line in (self.ask(["-L"]) or "").splitlines() if wanted else ():
            if card := _GPU.match(line):
                index, name = int(card[1]), card[2]
            elif (part := _SLICE.match(line)) and part[3].startswith(tuple(wanted)):
                size = int(part[2]) * 2**30
                found.append((index, GpuMemory(f"{name} MIG {part[1]}", size, size)))
        return found

    def allowed(self, visible: str | None) -> frozenset[int]:
        """Return the indices that a ``CUDA_VISIBLE_DEVICES`` names; all of them when it is None."""
        if visible is None:
            return frozenset(self.uuids)
        wanted = [part.strip() for part in visible.split(",") if part.strip()]
        return frozenset(
            index
            for index, uuid in self.uuids.items()
            if any(part == str(index) or (part.startswith("GPU-") and uuid.startswith(part)) for part in wanted)
        )

    def memory(self) -> dict[int, GpuMemory]:
        """Return total and free memory by index; a GPU that does not report them is left out."""
        asked = ["--query-gpu=index,memory.total,memory.free,name", "--format=csv,noheader,nounits"]
        found: dict[int, GpuMemory] = {}
        for line in (self.ask(asked) or "").splitlines():
            index, total, free, name = (line.split(",", 3) + [""] * 3)[:4]
            if index.strip().isdigit() and total.strip().isdigit() and free.strip().isdigit():  # else "[N/A]"
                found[int(index)] = GpuMemory(name.strip(), int(total) * 2**20, int(free) * 2**20)
        return found

    def users(self) -> dict[int, list[int]]:
        """Return the pids that use each GPU by index; GPUs without any are left out."""
        if not self.uuids:
            return {}
        answer = self.ask(["--query-compute-apps=gpu_uuid,pid", "--format=csv,noheader"]) or ""
        index_of = {uuid: index for index, uuid in self.uuids.items()}
        found: dict[int, list[int]] = {}
        for line in answer.splitlines():
            uuid, _, pid = (part.strip() for part in line.partition(","))
            if uuid in index_of and pid.isdigit():
                found.setdefault(index_of[uuid], []).append(int(pid))
        return found
