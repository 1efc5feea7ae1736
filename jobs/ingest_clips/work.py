"""Curated clips to a dataset: check the lines, convert what the journal lacks, then write manifest and rejections.

The order and names of clips depend on the transcripts file alone, not on how many threads convert or how often
the job was stopped.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.dataset.exchange.exporters import give
from jobs.dataset.exchange.importers import take
from jobs.dataset.manifest import Clip, Rejection, Source, read_numbered_rows, write_rows
from jobs.dataset.quality.judging import Judged, judge_clips, rejection_of
from jobs.dataset.quality.thresholds import Thresholds, read_thresholds
from jobs.dataset.report.html_report import write_page
from jobs.dataset.report.summary import About, make_report, write_report
from jobs.errors import UserError
from jobs.ingest_clips.clip_converter import Bounds, UnusableError, audio_hash, convert_clip
from jobs.ingest_clips.params import Params, Result, TranscriptLine, layout_of
from jobs.ingest_clips.transcript_parser import BadLine, Line, sort_lines
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

logger = logging.getLogger(__name__)

MANIFEST_NAME = "train_manifest.jsonl"
REJECTIONS_NAME = "rejections.jsonl"
JOURNAL_NAME = ".clips_journal.jsonl"
IMPORTED = ".imported"  # sound that had no file of its own
FEWEST_REPEATED_WORDS = 5
MAX_THREADS = 4  # decoding and resampling leave Python's lock; beyond this the disk is the limit


@dataclass(frozen=True)
class Task:
    """A clip to make. ``key`` names what it depends on: the audio's bytes, its own name, the bounds."""

    line: Line
    target: Path
    key: str


def run(params: Params, context: JobContext) -> Result:
    """Make the dataset: ``clips/``, ``train_manifest.jsonl``, ``rejections.jsonl``, ``.batch_state.json``.

    Raises:
        UserError: ``manifest_unreadable``; ``output_over_input`` when a clip would be written over its source;
            ``all_clips_rejected`` when no clip is usable.
    """
    dataset = Path(params.out_dir) if params.out_dir else context.settings.home / "datasets" / params.voice
    bounds = Bounds(params.min_clip_s, params.max_clip_s)
    limits = read_thresholds(params.quality)
    found, audio_dir = _lines(params, dataset)
    lines, bad = sort_lines(found, audio_dir, speaker=params.voice, language=params.language)
    _check_targets(lines, dataset / "clips")
    n_lines = len(lines) + len(bad)
    context.progress(len(bad), n_lines, f"{len(lines)} of {n_lines} lines name a clip")
    (dataset / "clips").mkdir(parents=True, exist_ok=True)
    with Journal(dataset / JOURNAL_NAME) as journal:
        tasks = _without_twins(lines, bad, dataset / "clips", bounds, context)
        rows: list[Clip] = []
        numbers: dict[str, int] = {}
        first_use: dict[str, Line] = {}
        for line, entry in _converted(tasks, bounds, journal, context):
            if "reason" in entry:
                bad.append(_bad(line, entry["reason"], entry["detail"], entry["duration_s"]))
            elif (twin := first_use.setdefault(entry["sound"], line)) is not line:
                bad.append(_bad(line, "duplicate_audio", f"line {twin.number} sounds the same", entry["duration_s"]))
            else:
                rows.append(_row(line, entry))
                numbers[rows[-1].audio] = line.number
            context.progress(len(rows) + len(bad), n_lines, f"{line.audio_file}; {len(bad)} rejected so far")
        rows = _without_repeated_texts(rows, numbers, bad)
        judged = judge_clips(
            dataset,
            rows,
            limits,
            validation_share=params.validation_share,
            context=context,
            done=lambda message: context.progress(n_lines, n_lines, message),
        )
        result = _write(dataset, params, judged, limits, numbers, bad, context)
        journal.remove()
    logger.info("%d clips, %.1f s; rejected: %s", result.n_clips, result.kept_s, result.rejected_by_reason)
    return result


def _lines(params: Params, dataset: Path) -> tuple[Iterable[tuple[int, TranscriptLine]], Path]:
    """The lines of the transcripts, whoever wrote them, and the folder that their audio is in."""
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


def _without_repeated_texts(rows: Sequence[Clip], numbers: Mapping[str, int], bad: list[BadLine]) -> list[Clip]:
    """Of clips of a voice with the same sentence the first stays; short answers may come again."""
    first_use: dict[tuple[str, str], int] = {}
    kept: list[Clip] = []
    for row in rows:
        number = numbers[row.audio]
        words = row.text.casefold().split()
        first = first_use.setdefault((row.speaker, " ".join(words)), number)
        if first != number and len(words) >= FEWEST_REPEATED_WORDS:
            recording = row.source.recording if row.source else row.audio
            detail = f"line {first} has the same text"
            bad.append(BadLine(number, recording, row.text, "duplicate_text", detail, row.duration_s or 0.0))
        else:
            kept.append(row)
    return kept


def _check_targets(lines: Sequence[Line], clips: Path) -> None:
    sources = {line.path for line in lines}
    for line in lines:
        if (clips / line.clip_name).resolve() in sources:
            raise UserError(
                "output_over_input",
                f"{clips / line.clip_name} is a clip that the transcripts name, and would be written over.",
                "Give an out_dir whose clips folder is not audio_dir.",
            )


def _without_twins(
    lines: Sequence[Line], bad: list[BadLine], clips: Path, bounds: Bounds, context: JobContext
) -> list[Task]:
    """Hash every file; of files with the same bytes the first stays, the others go to ``bad``."""
    tasks: list[Task] = []
    first_use: dict[str, Line] = {}
    for line in lines:
        context.raise_if_cancelled()
        try:
            digest = audio_hash(line.path)
        except UnusableError as error:
            bad.append(_bad(line, error.reason, error.detail, 0.0))
            continue
        twin = first_use.setdefault(digest, line)
        if twin is not line:
            texts = "the same text" if twin.text == line.text else "another text"
            bad.append(_bad(line, "duplicate_audio", f"line {twin.number} has the same audio with {texts}", 0.0))
            continue
        key = hashlib.sha256(f"{digest} {line.clip_name} {bounds.min_s} {bounds.max_s}".encode()).hexdigest()
        tasks.append(Task(line, clips / line.clip_name, key))
    return tasks


def _converted(
    tasks: Sequence[Task], bounds: Bounds, journal: Journal, context: JobContext
) -> Iterator[tuple[Line, dict[str, Any]]]:
    """What came of each clip, in order: from the journal, or converted by a few threads that run a little ahead."""
    n_threads = min(MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(n_threads, thread_name_prefix="clips") as pool:
        ahead: deque[tuple[Task, Future[dict[str, Any]]]] = deque()
        try:
            for task in tasks:
                ahead.append((task, pool.submit(_convert, task, bounds, journal.get(task.key))))
                if len(ahead) > 2 * n_threads:
                    yield _finished(*ahead.popleft(), journal, context)
            while ahead:
                yield _finished(*ahead.popleft(), journal, context)
        finally:
            pool.shutdown(cancel_futures=True)


def _convert(task: Task, bounds: Bounds, entry: dict[str, Any] | None) -> dict[str, Any]:
    if entry is not None and ("reason" in entry or task.target.is_file()):
        return entry
    try:
        duration_s, quality = convert_clip(task.line.path, task.target, bounds)
        sound = audio_hash(task.target)
    except UnusableError as error:
        return {"reason": error.reason, "detail": error.detail, "duration_s": error.duration_s}
    return {"duration_s": duration_s, "quality": quality, "sound": sound}


def _finished(
    task: Task, future: Future[dict[str, Any]], journal: Journal, context: JobContext
) -> tuple[Line, dict[str, Any]]:
    context.raise_if_cancelled()
    entry = future.result()
    if journal.get(task.key) != entry:
        journal.add(task.key, entry)
    return task.line, entry


def _bad(line: Line, reason: str, detail: str, duration_s: float) -> BadLine:
    return BadLine(line.number, line.audio_file, line.text, reason, detail, duration_s)


def _row(line: Line, entry: dict[str, Any]) -> Clip:
    duration_s = entry["duration_s"]
    return Clip(
        audio=f"clips/{line.clip_name}",
        text=line.text,
        speaker=line.speaker,
        language=line.language,
        duration_s=duration_s,
        source=Source(recording=line.audio_file, start_s=0.0, end_s=duration_s),
        quality=entry["quality"],
        transcript="curated",
    )


def _rejection(line: BadLine) -> Rejection:
    return Rejection(
        source=Source(recording=line.audio_file, start_s=0.0, end_s=line.duration_s),
        reason=line.reason,
        detail=f"line {line.number}: {line.detail}",
        text=line.text,
    )


def _all_rejections(judged: Judged, numbers: Mapping[str, int], bad: Sequence[BadLine]) -> list[Rejection]:
    """In the order of the lines."""
    found = [(line.number, _rejection(line)) for line in bad]
    for row, fault in judged.rejected:
        number = numbers[row.audio]
        rejection = rejection_of(row, fault)
        found.append((number, rejection.model_copy(update={"detail": f"line {number}: {rejection.detail}"})))
    return [rejection for _, rejection in sorted(found, key=lambda pair: pair[0])]


def _write(
    dataset: Path,
    params: Params,
    judged: Judged,
    limits: Thresholds,
    numbers: Mapping[str, int],
    bad: Sequence[BadLine],
    context: JobContext,
) -> Result:
    """Write what the run has found, the manifest last.

    Raises:
        UserError: ``all_clips_rejected``, after the rejections are written.
    """
    rejections = _all_rejections(judged, numbers, bad)
    write_rows(dataset / REJECTIONS_NAME, rejections)
    context.publish("rejections", dataset / REJECTIONS_NAME, "report")
    about = About(name=Path(params.transcripts).name, voice=params.voice, transcript="curated")
    report = make_report(about, judged, rejections, limits)
    write_report(
        dataset, report, f"Curated clips for the voice {params.voice}; why others failed is in {REJECTIONS_NAME}"
    )
    write_page(dataset, report, judged, limits)
    context.publish("report", dataset / "report.html", "report")
    if not judged.kept:
        raise _nothing_kept(params, rejections, dataset)
    write_rows(dataset / MANIFEST_NAME, judged.kept)
    context.publish("manifest", dataset / MANIFEST_NAME, "manifest")
    give(dataset / MANIFEST_NAME, params.export, context)
    context.progress(
        len(numbers) + len(bad), len(numbers) + len(bad), "Ingested", kept_s=report.kept_s, rejected=report.n_rejected
    )
    return Result(
        dataset=str(dataset),
        manifest=str(dataset / MANIFEST_NAME),
        n_clips=report.n_clips,
        n_rejected=report.n_rejected,
        kept_s=round(report.kept_s, 3),
        rejected_by_reason=report.reasons_n,
        n_validation=report.n_validation,
        report=str(dataset / "report.html"),
        summary=report.summary,
    )


def _nothing_kept(params: Params, rejections: Sequence[Rejection], dataset: Path) -> UserError:
    reason, count = Counter(row.reason for row in rejections).most_common(1)[0]
    example = next(row for row in rejections if row.reason == reason)
    return UserError(
        "all_clips_rejected",
        f"None of the {len(rejections)} lines of {params.transcripts} gave a clip; {count} times the reason was "
        f"{reason} ({example.detail}).",
        f"Look into {dataset / REJECTIONS_NAME}, mend the transcripts or audio_dir, and start again.",
    )
