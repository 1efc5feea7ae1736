"""Reads what containers say of a book, for a dry run: ``python -m jobs.ingest_audiobook.probe < params.json``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.ingest_audiobook.input.source_files import check_chapters, open_book, selected_units
from jobs.ingest_audiobook.input.work_units import length_s
from jobs.ingest_audiobook.output.worker_pool import lanes
from jobs.ingest_audiobook.params import Params, transcript_source
from jobs.ingest_audiobook.text.text_sources import given_segments
from jobs.settings import Settings


def survey(params: Params, settings: Settings) -> dict[str, Any]:
    """Lengths in seconds, chapters, notes.

    Raises:
        UserError: what is wrong with the recordings, the selection or the text.
    """
    audio = Path(params.audio)
    roots = settings.roots if audio.is_dir() else None
    book = open_book(audio, roots)
    check_chapters(params.validation_chapters, book)
    units = selected_units(book, params)
    notes = list(book.notes)
    source = transcript_source(params)
    if source == "segments":
        notes.append(f"{sum(map(len, given_segments(params, book, roots)))} segments are given.")
    elif source == "book":
        from jobs.ingest_audiobook.text.text_readers import read_book_text

        text = read_book_text(Path(params.text or ""))
        notes += [*text.notes, f"The text has about {len(text.text.split())} words."]
    infos = [recording.info for recording in book.recordings]
    selected = {unit.chapter for unit in units}
    return {
        "title": book.info.title,
        "n_recordings": len(infos),
        "book_s": book.info.duration_s or 0.0,
        "selected_s": sum(length_s(unit, infos[unit.recording]) for unit in units),
        "n_lanes": len(lanes(units, book)),
        "n_cores": len(os.sched_getaffinity(0)),
        "chapters": [
            {
                "chapter": number,
                "title": chapter.title,
                "minutes": round((chapter.end_s - chapter.start_s) / 60, 1),
                "selected": number in selected,
            }
            for number, chapter in enumerate(book.info.chapters, 1)
        ],
        "notes": notes,
    }


def main() -> None:
    """Print the survey, or the error, as JSON."""
    try:
        told = survey(Params.model_validate_json(sys.stdin.read()), Settings.from_environment())
    except UserError as error:
        told = {"code": error.code, "message": error.message, "hint": error.hint}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
