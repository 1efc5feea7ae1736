"""References and languages that the lines of a transcripts file name, and notes on the lines that name none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jobs.dataset.audio_roots import name_from
from jobs.dataset.manifest import RejectionError
from jobs.dataset.quality.judging import Judged
from jobs.ingest_clips.transcript_parser import ParsedLine


def keep_references(
    judged: Judged, lines: Mapping[int, ParsedLine], numbers: Mapping[str, int], dataset: Path
) -> Judged:
    """Put the reference clip that a line names in the place of the speaker's best clip, with a note.

    Args:
        lines: by number.
        numbers: of the lines, by the names of the clips.
        dataset: folder of the manifest.
    """
    kept, n_kept, faults = [], 0, []
    for row in judged.kept:
        reference = lines[numbers[row.audio]].reference
        if isinstance(reference, RejectionError):
            faults.append(reference.detail)
        elif reference is not None:
            row = row.model_copy(update={"ref_audio": name_from(dataset, reference)})
            n_kept += 1
        kept.append(row)
    notes = []
    if n_kept:
        notes.append(f"{n_kept} of {len(kept)} clips keep the reference clip that their lines name (ref_audio).")
    if faults:
        notes.append(
            f"The reference clips that {len(faults)} lines name are not used, but the speaker's best clip: {faults[0]}."
        )
    best = {} if n_kept == len(kept) else judged.references
    return replace(judged, kept=kept, references=best, notes=[*notes, *judged.notes])


def note_languages(lines: Sequence[ParsedLine], language: str) -> list[str]:
    """Return a note on the lines that name no language."""
    n_without = sum(not line.names_language for line in lines)
    if n_without == 0:
        return []
    return [
        f"{n_without} of {len(lines)} lines name no language and are written as {language}: start again with "
        "language=NAME if they are in another one, or language=auto to train without one."
    ]
