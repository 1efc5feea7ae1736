"""Names of clips and rejections in a record of corrections: their places in a recording. No heavy imports."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError

from jobs.dataset.manifest import Clip, Rejection, Row, Source
from jobs.files.reading import LONGEST_PATH

_PLACE = re.compile(r"(?P<recording>.*)@(?P<start>\d+\.\d+)-(?P<end>\d+\.\d+)", re.DOTALL)


class PlacedRow(Row):
    """Names of a clip or rejection: the only fields that are read where there may be many lines."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    audio: Annotated[str, Field(max_length=LONGEST_PATH)] | None = None
    ref_audio: Annotated[str, Field(max_length=LONGEST_PATH)] | None = None
    source: Source | None = None
    correction_of: Annotated[str, Field(max_length=2 * LONGEST_PATH)] | None = None


def key_of(row: Clip | Rejection | PlacedRow) -> str:
    """Return the key of a clip or rejection: its place in the recording, which a new ingest of the book finds again.

    Of one without a place, the name of its file.
    """
    if row.source is None:
        return row.audio or ""
    return place_key(row.source)


def place_key(source: Source) -> str:
    """Return ``RECORDING@START-END`` in seconds."""
    return f"{source.recording}@{source.start_s:.3f}-{source.end_s:.3f}"


def parse_place(key: str) -> tuple[str, Source] | None:
    """Return a key with the place that it names; None for the name of a file, and for what is no place."""
    named = _PLACE.fullmatch(key)
    if named is None:
        return None
    try:
        return key, Source(recording=named["recording"], start_s=float(named["start"]), end_s=float(named["end"]))
    except ValidationError:  # of so many digits that it is endless
        return None
