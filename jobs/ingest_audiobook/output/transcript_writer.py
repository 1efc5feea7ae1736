"""Writer of what was heard: ``transcript.jsonl``, and subtitles of each recording as SRT and VTT."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pysubs2

from jobs.dataset.manifest import write_rows
from jobs.files.atomic_io import write_text
from jobs.files.folders import make_folder
from jobs.ingest_audiobook.output.ingest_state import IngestState
from jobs.ingest_audiobook.text.transcript_rows import Sentence

TRANSCRIPT, SUBTITLES = "transcript.jsonl", "subtitles"


def write_transcript(state: IngestState) -> int:
    """Write the sentences of all finished units; return their number.

    Subtitles have the names of their recordings, so that the folder can be given back as ``text``.
    """
    n_sentences = write_rows(state.dataset / TRANSCRIPT, _sentences(state))
    for name, rows in itertools.groupby(_sentences(state), key=lambda row: row.recording):
        subtitles = pysubs2.SSAFile()
        subtitles.events = [
            pysubs2.SSAEvent(start=round(1000 * row.start_s), end=round(1000 * row.end_s), text=row.text)
            for row in rows
        ]
        path = state.dataset / SUBTITLES / Path(name)
        make_folder(path.parent)
        for kind in ("srt", "vtt"):
            write_text(path.with_suffix(f".{kind}"), subtitles.to_string(kind))
    return n_sentences


def _sentences(state: IngestState) -> Iterator[Sentence]:
    for record in state.finished():
        yield from record.sentences
