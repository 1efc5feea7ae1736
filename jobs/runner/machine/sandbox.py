"""Sandbox of a process that reads what anybody may have made: the places it can write, and the devices. stdlib only.

``python -m jobs.runner.machine.sandbox MODULE`` runs a module of ours that can write its output and caches only, and
has limits: for the server, which lets a child look at recordings and manifests. A worker's is in
``jobs.runner.worker.confinement``.
"""

import contextlib
import logging
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.runner.machine import limits
from jobs.settings import Settings, folder_named
from jobs.trust import landlock

logger = logging.getLogger(__name__)

DEVICES = ("null", "zero", "full", "shm", "dri", "dxg", "kfd", "infiniband")
PROBE_TIMEOUT_S = 10.0


def restrict_writes(allowed: Sequence[Path], settings: Settings) -> list[Path]:
    """Let this process write ``allowed``, caches of libraries and devices alone, for good.

    It must have no other thread yet: that one would stay free. Returns the places without the devices; none when the
    kernel or the settings leave writing open.
    """
    if not settings.sandbox:
        return []
    if not landlock.version():
        logger.info("writes are not confined: this kernel has no Landlock")
        return []
    places = [*allowed, *library_caches(settings).values()]
    for path in places:
        with contextlib.suppress(OSError):  # who opens it says more
            path.mkdir(parents=True, exist_ok=True)
    _make_gpu_devices()
    with contextlib.suppress(OSError):  # kept open, so that the kernel does not make that folder anew, without its rule
        os.open("/proc/self", os.O_PATH | os.O_CLOEXEC)
    landlock.restrict_writes([*places, *_devices()])
    return places


def library_caches(settings: Settings) -> dict[str, Path]:
    """Return where libraries keep what they compile and collect, by the variable that says so; a set one stays."""
    cache = folder_named("XDG_CACHE_HOME") or Path.home() / ".cache"
    defaults = {
        "CUDA_CACHE_PATH": settings.torch_cache / "cuda",
        "MPLCONFIGDIR": cache / "matplotlib",
        "HF_XET_CACHE": (folder_named("HF_HOME") or cache / "huggingface") / "xet",
        "NUMBA_CACHE_DIR": settings.torch_cache / "numba",
        "TORCHINDUCTOR_CACHE_DIR": settings.torch_cache / "inductor",
        "TRITON_CACHE_DIR": settings.torch_cache / "triton",
    }
    return {name: folder_named(name) or path for name, path in defaults.items()}


def _devices() -> Iterator[Path]:
    yield from (Path("/dev", name) for name in DEVICES)
    yield from Path("/dev").glob("nvidia*")
    yield Path("/proc/self")  # CUDA names its threads in files below it


def _make_gpu_devices() -> None:
    """Let NVIDIA's setuid program make the device of CUDA where the start of the machine did not: later it may not."""
    tool = shutil.which("nvidia-modprobe")
    if tool and Path("/dev/nvidiactl").exists() and not Path("/dev/nvidia-uvm").exists():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([tool, "-u", "-c=0"], stdin=subprocess.DEVNULL, timeout=PROBE_TIMEOUT_S, check=False)


def main() -> None:
    """Run a module as ``python -m`` does, confined."""
    restrict_writes([], Settings.from_environment())
    limits.forbid_core_dumps()
    limits.limits_of_reader(0.0).apply()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
