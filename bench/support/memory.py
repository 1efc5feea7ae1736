"""Peak of resident memory of this process."""

from __future__ import annotations

from pathlib import Path


def peak_rss_mb() -> int:
    """In MB of 2**20. Not ``ru_maxrss``: a child begins with its parent's, whatever it runs (Linux carries it on)."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return int(told.split("VmHWM:")[1].split()[0]) // 1024
