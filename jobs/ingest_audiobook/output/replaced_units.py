"""Units whose sentences were edited: set aside, built again, and their clips kept by name where they are the same.

The clips of an earlier cut stay until the manifest no longer names them, so that the dataset is whole at any time.
"""

from collections.abc import Sequence

from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.output.ingest_state import IngestState
from jobs.ingest_audiobook.text.transcript_rows import Sentence, hash_sentences, sentences_between


def set_aside_edited(state: IngestState, sentences: Sequence[Sequence[Sentence]]) -> None:
    """Set aside the units that were built from other sentences than these, so that they are built again."""
    for record in state.built():
        given = sentences_between(sentences[record.recording], record.start_24k, record.end_24k)
        if hash_sentences(given) not in (record.given_sha256, hash_sentences(record.sentences)):
            state.set_aside(record)


def set_aside_unjoined(state: IngestState, units: Sequence[WorkUnit]) -> bool:
    """Set aside neighbours in one chapter whose pause between them is no longer the same; True: there were some."""
    unjoined: set[int] = set()
    former: tuple[WorkUnit, int] | None = None  # the unit before that divides a chapter, and its end
    for unit in units:
        if not state.is_finished(unit.index):
            former = None
            continue
        record = state.read(unit.index)
        if former is not None and former[1] != record.start_24k:
            unjoined |= {former[0].index, unit.index}
        former = (unit, record.end_24k) if unit.seeks_end and not record.is_recording_end else None
    for index in sorted(unjoined):
        state.set_aside(state.read(index))
    return bool(unjoined)
