"""Units whose sentences were edited: set aside, built again, and their clips kept by name where they are the same.

The clips of an earlier cut stay until the manifest no longer names them, so that the dataset is whole at any time.
"""

from collections.abc import Iterator, Sequence

from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.output.ingest_state import IngestState, UnitRecord
from jobs.ingest_audiobook.text.transcript_rows import Sentence, hash_sentences, sentences_between


def set_aside_edited(state: IngestState, sentences: Sequence[Sequence[Sentence]]) -> None:
    """Set aside the units that were built from other sentences than these, so that they are built again."""
    for record in state.built():
        given = sentences_between(sentences[record.recording], record.start_24k, record.end_24k)
        if hash_sentences(given) not in (record.given_sha256, hash_sentences(record.sentences)):
            state.set_aside(record)


def set_aside_unjoined(state: IngestState, units: Sequence[WorkUnit]) -> bool:
    """Set aside neighbours in one chapter whose pause between them is no longer the same; True: there were some."""
    records = {record.index: record for record in state.built()}
    unjoined = [pair for pair in _neighbours(records, units) if pair[0].end_24k != pair[1].start_24k]
    for record in {record.index: record for pair in unjoined for record in pair}.values():
        state.set_aside(record)
    return bool(unjoined)


def _neighbours(records: dict[int, UnitRecord], units: Sequence[WorkUnit]) -> Iterator[tuple[UnitRecord, UnitRecord]]:
    for unit in units:
        left, right = records.get(unit.index), records.get(unit.index + 1)
        if unit.seeks_end and left is not None and right is not None and not left.is_recording_end:
            yield left, right
