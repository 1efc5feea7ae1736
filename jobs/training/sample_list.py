"""List of a run's evaluation samples, written while they are spoken, and the names of their sources.

Imports no heavy library: the server reads it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ConfigDict, Field

from jobs.dataset.manifest import ClipSeconds, FileName, Name, Row, Text, read_rows

SAMPLES, SAMPLE_LIST = "samples", "samples.jsonl"
NARRATOR, ZERO_SHOT = "narrator", "zero-shot"
SOURCES = {
    NARRATOR: "Narrator, re-encoded by the codec (upper bound)",
    ZERO_SHOT: "Base model, cloning the reference clip (before training)",
    "voice": "Trained voice",
    "voice-last": "Trained voice, weights of the last step",
    "voice-ema": "Trained voice, averaged weights",
}
"""Meanings of the sources in the order in which they are shown; others are voices that were kept on the way."""
_STEP = "step-"
SAMPLE_FILES = re.compile(rf"samples\.jsonl|(?:{'|'.join(SOURCES)}|{_STEP}\d{{6,}})-\d{{1,2}}\.wav")
"""Names of the files in the folder of samples."""


class ListedSample(Row):
    """A line of the list; see ``eval_samples.Sample``."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    source: Name
    text: Text
    audio: FileName | None = None
    is_held_out: bool = False
    duration_s: ClipSeconds = 0.0
    note: Text = Field("")


def describe_source(source: str) -> str:
    """Return what a source is, in words."""
    return SOURCES.get(source) or f"Voice of step {source.removeprefix(_STEP)}"


def source_order(source: str) -> tuple[int, int]:
    """Return the place of a source: narrator and base first, then steps as they came, then the voice."""
    if source in (NARRATOR, ZERO_SHOT):
        return 0, list(SOURCES).index(source)
    step = source.removeprefix(_STEP)
    return (1, int(step)) if step.isdecimal() and step != source else (2, 0)


def read_samples(out: Path) -> Iterator[ListedSample]:
    """Iterate over the samples that are there; none before the first. Raises ``UserError`` as ``read_rows``."""
    path = out / SAMPLES / SAMPLE_LIST
    return read_rows(path, ListedSample) if path.is_file() else iter(())
