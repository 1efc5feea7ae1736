"""Peak of memory that a case adds, after earlier cases of the same process."""

from __future__ import annotations

import subprocess
import sys

from jobs.settings import PROJECT_ROOT

TWICE = """
import torch
from bench.gpu.support.memory_peak import MemoryPeak
from jobs.qwen.devices import keep_freed_memory

keep_freed_memory()  # as a training job does: what is freed stays with the process
peak = MemoryPeak("cpu")
for _ in range(2):
    peak.start()
    tensors = [torch.ones(25_000_000) for _ in range(3)]
    print(round(peak.added() / 1e8))
    del tensors
"""


def test_memory_that_an_earlier_case_has_freed_does_not_hide_the_next_ones() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["3", "3"]
