"""What the C library does with freed memory is chosen by what a step needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jobs.settings import PROJECT_ROOT

FREED = """
import sys
import torch
from jobs.qwen.devices import keep_freed_memory

def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096

keep_freed_memory(recomputes=sys.argv[1] == "recomputes")
before = resident()
block = torch.ones(25_000_000)
small = torch.ones(1000)
del block
print(round((resident() - before) / 1e8))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
@pytest.mark.parametrize(("how", "kept"), [("recomputes", "0"), ("keeps", "1")])
def test_large_blocks_are_returned_where_activations_are_recomputed(how: str, kept: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FREED, how], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == kept
