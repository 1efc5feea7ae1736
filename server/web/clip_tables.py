"""Tables of clips from manifest, rejections and corrections of datasets; those that were read last are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import ConfigDict, Field

from jobs.dataset.corrections.base import MANIFEST, REJECTIONS, count_applied, find_base
from jobs.dataset.corrections.edits import EditIndex, fold
from jobs.dataset.corrections.places import place_key
from jobs.dataset.corrections.record import read_corrections, record_of
from jobs.dataset.manifest import (
    MAX_QUALITY_VALUES,
    ClipSeconds,
    FileName,
    Name,
    Rejection,
    Row,
    Source,
    Text,
    read_rows,
)
from jobs.files.file_state import read_state
from server.web.clip_table import ClipLine, ClipTable

MOST_TABLES = 3
SCORES = ("sim", "text_match", "dnsmos_ovrl", "snr_db")
"""Measures of quality that are shown, the first that a clip has."""


class _ClipRow(Row):
    """The fields of a clip that a table shows."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    audio: FileName
    text: Text
    speaker: Name = ""
    duration_s: ClipSeconds | None = None
    source: Source | None = None
    split: Name = ""
    quality: dict[str, float] = Field(default_factory=dict, max_length=MAX_QUALITY_VALUES)


class ClipTables:
    """Tables that were read last; read again when a file of theirs has changed. Safe to share between threads."""

    def __init__(self) -> None:
        self._tables: OrderedDict[Path, tuple[object, ClipTable]] = OrderedDict()
        self._lines: OrderedDict[Path, tuple[object, list[ClipLine]]] = OrderedDict()
        self._lock = Lock()

    def is_known(self, dataset: Path) -> bool:
        """Return whether the clips of a dataset are in memory, as they are on the disk."""
        return dataset in self._lines and self._lines[dataset][0] == _ingested(dataset)

    def get(self, dataset: Path) -> ClipTable:
        """Return the table of a dataset. Raises ``UserError``: as ``find_base`` and ``read_rows``."""
        with self._lock:
            ingested = _ingested(dataset)
            corrected = (ingested, read_state(dataset / "corrections.jsonl"))
            if dataset in self._tables and self._tables[dataset][0] == corrected:
                return self._tables[dataset][1]
            if dataset not in self._lines or self._lines[dataset][0] != ingested:
                self._lines[dataset] = ingested, _read_lines(dataset)
                _shorten(self._lines)
            table = _with_edits(dataset, self._lines[dataset][1])
            self._tables[dataset] = corrected, table
            _shorten(self._tables)
            return table


def _shorten(tables: OrderedDict[Path, Any]) -> None:
    while len(tables) > MOST_TABLES:
        tables.popitem(last=False)


def _ingested(dataset: Path) -> object:
    return tuple(read_state(dataset / name) for name in (MANIFEST, REJECTIONS))


def _read_lines(dataset: Path) -> list[ClipLine]:
    base = find_base(dataset)
    rows: list[_ClipRow | Rejection] = list(read_rows(base.manifest, _ClipRow))
    if base.rejections.is_file():
        rows += read_rows(base.rejections, Rejection)
    rows.sort(key=lambda row: (row.source.recording, row.source.start_s) if row.source is not None else ("", 0.0))
    return list(_lines(rows))


def _lines(rows: list[_ClipRow | Rejection]) -> Iterator[ClipLine]:
    for number, row in enumerate(rows):
        source = row.source
        quality = row.quality if isinstance(row, _ClipRow) else {}
        score_name = next((name for name in SCORES if name in quality), "")
        length_s = source.end_s - source.start_s if source is not None else 0.0
        yield ClipLine(
            number=number,
            key=place_key(source) if source is not None else row.audio or "",
            audio=row.audio or "",
            text=row.text or "",
            speaker=row.speaker if isinstance(row, _ClipRow) else "",
            recording=source.recording if source is not None else "",
            chapter=source.chapter if source is not None else None,
            start_s=source.start_s if source is not None else None,
            end_s=source.end_s if source is not None else None,
            duration_s=(row.duration_s if isinstance(row, _ClipRow) else None) or length_s,
            score_name=score_name,
            score=quality.get(score_name),
            reason=row.reason if isinstance(row, Rejection) else "",
            detail=row.detail if isinstance(row, Rejection) else "",
        )


def _with_edits(dataset: Path, lines: list[ClipLine]) -> ClipTable:
    corrections = read_corrections(record_of(dataset))
    edits = EditIndex(fold(corrections)).match({line.key: line.place for line in lines}) if corrections else {}
    shown = [replace(line, edit=edits[line.key]) if line.key in edits else line for line in lines]
    return ClipTable(shown, len(corrections), count_applied(dataset) if corrections else 0)
