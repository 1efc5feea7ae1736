"""The job ``ingest_clips``: check the lines, convert the clips that the journal lacks, write manifest and rejections.

The order and names of clips depend on the transcripts file alone, not on the number of threads or interruptions.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.dataset.corrections.apply import apply_corrections, has_corrections
from jobs.dataset.exchange.exporters import give
from jobs.dataset.exchange.foreign_clips import ForeignClip
from jobs.dataset.exchange.importers import take
from jobs.dataset.manifest import Clip, Rejection, Source, read_numbered_rows, write_rows
from jobs.dataset.quality.judging import Judged, build_rejection, judge_clips
from jobs.dataset.quality.thresholds import Thresholds, read_thresholds
from jobs.dataset.report.html_report import write_page
from jobs.dataset.report.report_model import About
from jobs.dataset.report.totals import make_report, write_report
from jobs.errors import UserError
from jobs.files.folders import make_folder
from jobs.ingest_clips.clip_converter import DurationLimits, convert_clips, plan_conversion
from jobs.ingest_clips.named_by_lines import keep_references, note_languages
from jobs.ingest_clips.params import Params, Result, TranscriptLine, layout_of
from jobs.ingest_clips.transcript_parser import ParsedLine, RejectedLine, find_lines, parse_lines
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

logger = logging.getLogger(__name__)

JOURNAL_NAME = ".clips_journal.jsonl"
IMPORTED = ".imported"  # folder for audio that had no file of its own
FEWEST_REPEATED_WORDS = 5
SKIPPED = "line_unreadable"


def run(params: Params, context: JobContext) -> Result:
    """Make the dataset: ``clips/``, ``train_manifest.jsonl``, ``rejections.jsonl``, ``.batch_state.json``.

    Raises ``UserError``: ``manifest_unreadable``; ``output_is_input`` when a clip would be written over its source;
    ``all_clips_rejected`` when no clip is usable.
    """
    dataset = Path(params.out_dir) if params.out_dir else context.settings.home / "datasets" / params.voice
    durations = DurationLimits(params.min_clip_s, params.max_clip_s)
    thresholds = read_thresholds(params.quality)
    skipped: list[tuple[int, str]] = []
    found = _read_lines(params, dataset, skipped)
    lines, rejected = parse_lines(found, speaker=params.voice, language=params.language)
    rejected += [RejectedLine(number, "", "", SKIPPED, fault) for number, fault in skipped]
    _check_targets(lines, dataset / "clips")
    n_lines = len(lines) + len(rejected)
    context.progress(len(rejected), n_lines, f"{len(lines)} of {n_lines} lines name a clip")
    make_folder(dataset / "clips")
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
        judged = keep_references(judged, {line.number: line for line in lines}, numbers, dataset)
        judged = replace(judged, notes=[*note_languages(lines, params.language), *judged.notes])
        result = write_dataset(dataset, params, judged, thresholds, numbers, rejected, context)
        journal.remove()
    logger.info("%d clips, %.1f s; rejected: %s", result.n_clips, result.kept_s, result.rejected_by_reason)
    return result


def _read_lines(params: Params, dataset: Path, skipped: list[tuple[int, str]]) -> Iterator[ForeignClip]:
    """Read the numbered lines of the transcripts, of any layout, and find their audio; ``skipped`` gets bad lines."""
    transcripts = Path(params.transcripts)
    layout = layout_of(transcripts)
    audio_dir = Path(params.audio_dir) if params.audio_dir else None
    if layout == "jsonl":
        faults = skipped if params.on_error == "skip" else None
        lines = read_numbered_rows(transcripts, TranscriptLine, faults)
        return find_lines(lines, audio_dir or transcripts.parent, transcripts.parent)
    return take(layout, transcripts, dataset / IMPORTED, audio_dir)


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
        instruct=line.instruct,
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


MANIFEST_NAME = "train_manifest.jsonl"
REJECTIONS_NAME = "rejections.jsonl"


def write_dataset(
    dataset: Path,
    params: Params,
    judged: Judged,
    limits: Thresholds,
    numbers: Mapping[str, int],
    rejected: Sequence[RejectedLine],
    context: JobContext,
) -> Result:
    """Write rejections and report, then the manifest.

    Raises ``UserError``: ``all_clips_rejected``, after the rejections are written.
    """
    rejections = _rejections_in_order(judged, numbers, rejected)
    write_rows(dataset / REJECTIONS_NAME, rejections)
    context.publish("rejections", dataset / REJECTIONS_NAME, "report")
    about = About(name=Path(params.transcripts).name, voice=params.voice, transcript="curated")
    report = make_report(about, judged, rejections, limits)
    write_report(
        dataset, report, f"Curated clips for the voice {params.voice}; reasons of rejections: {REJECTIONS_NAME}"
    )
    write_page(dataset, report, judged, limits)
    context.publish("report", dataset / "report.html", "report")
    if not judged.kept:
        raise _nothing_kept(params, rejections, dataset)
    write_rows(dataset / MANIFEST_NAME, judged.kept)
    if has_corrections(dataset):  # of an earlier ingest of these clips
        apply_corrections(dataset, None, context)
    context.publish("manifest", dataset / MANIFEST_NAME, "manifest")
    give(dataset / MANIFEST_NAME, params.export, context)
    n_lines = len(numbers) + len(rejected)
    context.progress(n_lines, n_lines, "Ingested", kept_s=report.kept_s, rejected=report.n_rejected)
    return Result(
        dataset=str(dataset),
        manifest=str(dataset / MANIFEST_NAME),
        n_clips=report.n_clips,
        n_rejected=report.n_rejected,
        n_skipped=sum(line.reason == SKIPPED for line in rejected),
        kept_s=round(report.kept_s, 3),
        rejected_by_reason=report.reasons_n,
        n_validation=report.n_validation,
        report=str(dataset / "report.html"),
        summary=report.summary,
    )


def _rejections_in_order(
    judged: Judged, numbers: Mapping[str, int], rejected: Sequence[RejectedLine]
) -> list[Rejection]:
    """Return all rejections in the order of the lines."""
    found = [(line.number, _rejection(line)) for line in rejected]
    for row, fault in judged.rejected:
        number = numbers[row.audio]
        rejection = build_rejection(row, fault)
        found.append((number, rejection.model_copy(update={"detail": f"line {number}: {rejection.detail}"})))
    return [rejection for _, rejection in sorted(found, key=lambda pair: pair[0])]


def _rejection(line: RejectedLine) -> Rejection:
    return Rejection(
        source=Source(recording=line.audio_file, start_s=0.0, end_s=line.duration_s),
        reason=line.reason,
        detail=f"line {line.number}: {line.detail}",
        text=line.text,
    )


def _nothing_kept(params: Params, rejections: Sequence[Rejection], dataset: Path) -> UserError:
    reason, count = Counter(row.reason for row in rejections).most_common(1)[0]
    example = next(row for row in rejections if row.reason == reason)
    return UserError(
        "all_clips_rejected",
        f"None of the {len(rejections)} lines of {params.transcripts} gave a clip; {count} times the reason was "
        f"{reason} ({example.detail}).",
        f"Read {dataset / REJECTIONS_NAME}, correct the transcripts or audio_dir, and start again.",
    )
