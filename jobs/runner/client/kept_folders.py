"""Folders in a job's folder that are never garbage: voices, adapters, kept exports, datasets, takes rated by people.

They are known by what they hold, so also those of a run that failed or was stopped count.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from jobs.files.output_marks import HUMAN_RATINGS

CONFIGS = frozenset({"config.json", "adapter_config.json"})
WEIGHTS = ".safetensors"
CHECKPOINTS = "checkpoints"
"""Folder whose weights are states of a run, not voices."""


def find_kept(folder: Path) -> Iterator[Path]:
    """Iterate over the kept folders of a job's folder; none lies in another one."""
    for parent, folders, names in os.walk(folder):
        if is_voice(names) or HUMAN_RATINGS in names or any(_is_manifest(name) for name in names):
            yield Path(parent)
            folders.clear()
        elif CHECKPOINTS in folders:
            folders.remove(CHECKPOINTS)


def is_voice(names: list[str]) -> bool:
    """Return whether a folder with these files is a voice or an adapter."""
    return any(name.endswith(WEIGHTS) for name in names) and not CONFIGS.isdisjoint(names)


def _is_manifest(name: str) -> bool:
    return name.startswith("train_") and name.endswith(".jsonl")
