"""``.batch_state.json``: a dataset's totals in the form that report tools of the original skill read."""

from __future__ import annotations

from pathlib import Path

from jobs.atomic_io import write_json

STATE_NAME = ".batch_state.json"


def write_batch_state(dataset: Path, description: str, *, successful: int, failed: int) -> None:
    """Write the totals. Paths are left out, so that the dataset can be moved."""
    state = {
        "name": "tts-dataset",
        "description": description,
        "total": successful + failed,
        "successful": successful,
        "failed": failed,
    }
    write_json(dataset / STATE_NAME, state)
