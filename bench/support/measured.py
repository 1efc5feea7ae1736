"""Time and memory of a function in this process, as one JSON line on stdout."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from bench.support.memory import peak_rss_mb


def measured(work: Callable[[], object]) -> None:
    """Do the work and print its CPU and wall seconds and the process's peak of resident memory."""
    import torch

    from jobs.qwen.upstream import qwen_tts

    torch.set_num_threads(1)
    qwen_tts()  # its import takes longer than many a measurement
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    work()
    figures = {
        "cpu_s": round(time.process_time() - cpu_s, 2),
        "wall_s": round(time.perf_counter() - wall_s, 2),
        "peak_rss_mb": peak_rss_mb(),
    }
    print(json.dumps(figures))
