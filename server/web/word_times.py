"""Times of a clip's words, by the aligned manifest of its dataset."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from jobs.dataset.manifest import FileName, Row, Source, TimedWord
from jobs.errors import UserError
from jobs.files.reading import read_lines
from server.web.clip_table import ClipLine
from tools.inputs.references import dataset_files

SAME_SHARE = 0.5
"""Of a clip's time that the aligned one must have: alignment trims a border that cuts a word."""
_PLACE = re.compile(rb'"source": ?{[^{}]*?"start_s": ?(-?[\d.e+-]+), ?"end_s": ?(-?[\d.e+-]+)')


@dataclass(frozen=True)
class WordTime:
    """A word and its time, in seconds of what ``ClipLine.borders`` counts in."""

    word: str
    start_s: float
    end_s: float


class _AlignedRow(Row):
    """The fields of an aligned clip that are read here."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    audio: FileName
    source: Source | None = None
    words: list[TimedWord] = Field(default_factory=list)


def find_words(dataset: Path, line: ClipLine) -> list[WordTime]:
    """Return the words of a clip with their times; empty: it is not aligned, or its text is another one now."""
    name, _ = dataset_files()["aligned"]
    try:
        row = next(_matching(dataset / name, line), None)
    except (OSError, UserError):
        return []
    if row is None or _letters(" ".join(word.word for word in row.words)) != _letters(line.shown_text):
        return []
    origin_s = row.source.start_s if row.source is not None else 0.0
    return [WordTime(word.word, origin_s + word.start_s, origin_s + word.end_s) for word in row.words]


def _matching(path: Path, line: ClipLine) -> Iterator[_AlignedRow]:
    """Iterate over the aligned rows of a clip; a line is parsed only where its beginning may fit."""
    place, audio = line.place, json.dumps(line.audio, ensure_ascii=False).encode()
    for content in read_lines(path):
        if place is None and audio not in content:
            continue
        if place is not None and not _overlaps(_PLACE.search(content), *line.borders):
            continue
        try:
            row = _AlignedRow.model_validate_json(content)
        except ValidationError:
            continue
        if row.audio == line.audio if place is None else row.source and row.source.recording == line.recording:
            yield row


def _overlaps(found: re.Match[bytes] | None, start_s: float, end_s: float) -> bool:
    if found is None:
        return False
    try:
        common_s = min(end_s, float(found[2])) - max(start_s, float(found[1]))
    except ValueError:
        return False
    return common_s >= SAME_SHARE * (end_s - start_s) > 0


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
