"""The job ``ingest_clips``: check the lines, convert the clips that the journal lacks, write manifest and rejections.

The order and names of clips depend on the transcripts file alone, not on the number of threads or interruptions.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.dataset.exchange.importers import take
from jobs.dataset.manifest import Clip, Source, read_numbered_rows
from jobs.dataset.quality.judging import judge_clips
from jobs.dataset.quality.thresholds import read_thresholds
from jobs.errors import UserError
from jobs.ingest_clips.clip_converter import DurationLimits
from jobs.ingest_clips.conversion_pool import convert_clips, plan_conversion
from jobs.ingest_clips.dataset_writer import write_dataset
from jobs.ingest_clips.params import Params, Result, TranscriptLine, layout_of
from jobs.ingest_clips.transcript_parser import ParsedLine, RejectedLine, parse_lines
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

logger = logging.getLogger(__name__)

JOURNAL_NAME = ".clips_journal.jsonl"
IMPORTED = ".imported"  # folder for audio that had no file of its own
FEWEST_REPEATED_WORDS = 5


def run(params: Params, context: JobContext) -> Result:
    """Make the dataset: ``clips/``, ``train_manifest.jsonl``, ``rejections.jsonl``, ``.batch_state.json``.

    Raises:
        UserError: ``manifest_unreadable``; ``output_is_input`` when a clip would be written over its source;
            ``all_clips_rejected`` when no clip is usable.
    """
    dataset = Path(params.out_dir) if params.out_dir else context.settings.home / "datasets" / params.voice
    durations = DurationLimits(params.min_clip_s, params.max_clip_s)
    thresholds = read_thresholds(params.quality)
    found, audio_dir = _read_lines(params, dataset)
    lines, rejected = parse_lines(found, audio_dir, speaker=params.voice, language=params.language)
    _check_targets(lines, dataset / "clips")
    n_lines = len(lines) + len(rejected)
    context.progress(len(rejected), n_lines, f"{len(lines)} of {n_lines} lines name a clip")
    (dataset / "clips").mkdir(parents=True, exist_ok=True)
    with Journal(dataset / JOURNAL_NAME) as journal:
        tasks, duplicates = plan_conversion(lines, dataset / "clips", durations, context)
        rejected += duplicates
        rows: list[Clip] = []
        numbers: dict[str, int] = {}
        first_use: dict[str, ParsedLine] = {}
        for line, entry in convert_clips(tasks, durations, journal, context):
            duration_s = entry["duration_s"]
            if "reason" in entry:
                rejected.append(line.reject(entry["reason"], entry["detail"], duration_s))
            elif (first := first_use.setdefault(entry["sound"], line)) is not line:
                rejected.append(line.reject("duplicate_audio", f"line {first.number} sounds the same", duration_s))
            else:
                rows.append(_row(line, entry))
                numbers[rows[-1].audio] = line.number
            context.progress(len(rows) + len(rejected), n_lines, f"{line.audio_file}; {len(rejected)} rejected so far")
        rows, repeated = _reject_repeated_texts(rows, numbers)
        rejected += repeated
        judged = judge_clips(
            dataset,
            rows,
            thresholds,
            validation_share=params.validation_share,
            context=context,
            done=lambda message: context.progress(n_lines, n_lines, message),
        )
        result = write_dataset(dataset, params, judged, thresholds, numbers, rejected, context)
        journal.remove()
    logger.info("%d clips, %.1f s; rejected: %s", result.n_clips, result.kept_s, result.rejected_by_reason)
    return result


def _read_lines(params: Params, dataset: Path) -> tuple[Iterable[tuple[int, TranscriptLine]], Path]:
    """Return the numbered lines of the transcripts, of any layout, and the folder that their audio is in."""
    transcripts = Path(params.transcripts)
    layout = layout_of(transcripts)
    folder = Path(params.audio_dir) if params.audio_dir else transcripts.parent
    if layout == "jsonl":
        return read_numbered_rows(transcripts, TranscriptLine), folder
    scratch = dataset / IMPORTED
    taken = list(take(layout, transcripts, scratch))
    root = Path(os.path.commonpath([str(clip.path.parent.absolute()) for clip in taken] or [str(scratch)]))
    lines = (
        (
            clip.number,
            TranscriptLine(
                audio_file=str(clip.path.absolute().relative_to(root)),
                text=clip.text or "-",
                speaker=clip.speaker,
                language=clip.language,
            ),
        )
        for clip in taken
    )
    return lines, root


def _check_targets(lines: Sequence[ParsedLine], clips: Path) -> None:
    sources = {line.path for line in lines}
    for line in lines:
        if (clips / line.clip_name).resolve() in sources:
            raise UserError(
                "output_is_input",
                f"{clips / line.clip_name} is a clip that the transcripts name; it would be overwritten.",
                "Give an out_dir whose clips folder is not audio_dir.",
            )


def _row(line: ParsedLine, entry: Mapping[str, Any]) -> Clip:
    return Clip(
        audio=f"clips/{line.clip_name}",
        text=line.text,
        speaker=line.speaker,
        language=line.language,
        duration_s=entry["duration_s"],
        source=Source(recording=line.audio_file, start_s=0.0, end_s=entry["duration_s"]),
        quality=entry["quality"],
        transcript="curated",
    )


def _reject_repeated_texts(rows: Sequence[Clip], numbers: Mapping[str, int]) -> tuple[list[Clip], list[RejectedLine]]:
    """Keep the first of the clips of a voice with the same sentence; short answers may be repeated."""
    first_use: dict[tuple[str, str], int] = {}
    kept: list[Clip] = []
    rejected: list[RejectedLine] = []
    for row in rows:
        number = numbers[row.audio]
        words = row.text.casefold().split()
        first = first_use.setdefault((row.speaker, " ".join(words)), number)
        if first != number and len(words) >= FEWEST_REPEATED_WORDS:
            recording = row.source.recording if row.source else row.audio
            detail = f"line {first} has the same text"
            rejected.append(RejectedLine(number, recording, row.text, "duplicate_text", detail, row.duration_s or 0.0))
        else:
            kept.append(row)
    return kept, rejected
