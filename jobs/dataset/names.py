"""Name of a dataset, by its folder."""

import re
from pathlib import Path

DATASET, SAMPLES = "dataset", "samples"
"""Folders in that of a voice, which has the name."""

UNNAMED = "voice"
_OF_JOBS = ("out", "")  # folders that say nothing
_LONGEST = 60


def name_of_dataset(manifest: Path) -> str:
    """Return the name of a dataset by its manifest or folder: ``anna`` for ``datasets/anna/train_manifest.jsonl``."""
    folder = manifest.parent if manifest.suffix == ".jsonl" else manifest
    return folder.parent.name if folder.name in (DATASET, SAMPLES) else folder.name


def name_of_voice(speaker: str, manifest: Path) -> str:
    """Return the name of the folder of a new voice: the speaker's, else the dataset's."""
    name = speaker or name_of_dataset(manifest)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:_LONGEST]
    return UNNAMED if name in _OF_JOBS else name
