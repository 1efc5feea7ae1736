"""Inputs that a call leaves open: the dataset's record, and the recording that its ingest has read."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from jobs.apply_corrections.params import Params
from jobs.dataset.corrections.record import record_of
from jobs.runner.client.runner import Runner
from jobs.settings import Settings

MOST_EARLIER = 200
INGEST = "ingest_audiobook"


def suggest_inputs(params: Params, given: Collection[str], settings: Settings) -> dict[str, Any]:
    """Return the record and the recording, as far as they are there."""
    dataset = Path(params.manifest).parent
    found: dict[str, Any] = {}
    if "corrections" not in given:
        found["corrections"] = str(record_of(dataset))
    if "audio" not in given and (audio := recording_of(dataset, settings)):
        found["audio"] = audio
    return found


def recording_of(dataset: Path, settings: Settings) -> str | None:
    """Return the recording of the newest ingest into a folder, if it is still there."""
    if not settings.home.exists():
        return None
    for job in Runner(settings).list(kind=INGEST, limit=MOST_EARLIER):
        audio = job.params.get("audio")
        if job.params.get("out_dir") == str(dataset) and isinstance(audio, str) and Path(audio).exists():
            return audio
    return None
