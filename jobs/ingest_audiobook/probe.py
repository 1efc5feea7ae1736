"""Probe of a book's containers and text for a dry run, in a process of its own."""

import os
from pathlib import Path
from typing import Any

from jobs.ingest_audiobook.input.source_files import open_source_files
from jobs.ingest_audiobook.input.work_units import batch_units, check_chapter_numbers, nominal_length_s, select_units
from jobs.ingest_audiobook.params import Params, transcript_source
from jobs.ingest_audiobook.text.subtitles import read_given_segments
from jobs.ingest_audiobook.text.text_readers import read_book_of
from jobs.settings import Settings


def probe_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """Probe what the parameters name; the entry of the child process. Raises as ``probe`` does."""
    return probe(Params.model_validate(document), Settings.from_environment())


def probe(params: Params, settings: Settings) -> dict[str, Any]:
    """Return lengths in seconds, chapters and notes.

    Raises ``UserError``: unreadable recordings or text, a wrong selection.
    """
    audio = Path(params.audio)
    roots = settings.roots if audio.is_dir() else None
    files = open_source_files(audio, roots)
    check_chapter_numbers(params.validation_chapters, files)
    units = select_units(files, params)
    notes = list(files.notes)
    source = transcript_source(params)
    if source == "segments":
        notes.append(f"{sum(map(len, read_given_segments(params, files, roots)))} segments are given.")
    elif source in ("book", "heard_book"):
        text = read_book_of(params.text, params.language)
        notes += [*text.notes, f"The text has about {len(text.text.split())} words."]
    infos = [recording.info for recording in files.recordings]
    selected = {unit.chapter for unit in units}
    return {
        "title": files.info.title,
        "n_recordings": len(infos),
        "book_s": files.info.duration_s or 0.0,
        "selected_s": sum(nominal_length_s(unit, infos[unit.recording]) for unit in units),
        "n_batches": len(batch_units(units, [info.has_exact_seek for info in infos])),
        "n_cores": len(os.sched_getaffinity(0)),
        "chapters": [
            {
                "chapter": number,
                "title": chapter.title,
                "minutes": round((chapter.end_s - chapter.start_s) / 60, 1),
                "selected": number in selected,
            }
            for number, chapter in enumerate(files.info.chapters, 1)
        ],
        "notes": notes,
    }
