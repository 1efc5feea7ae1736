"""Conversion of many clips by a few threads, in order, without those that an earlier attempt journalled."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.ingest_clips.clip_converter import DurationLimits, RejectedAudio, convert_clip, hash_audio
from jobs.ingest_clips.transcript_parser import ParsedLine, RejectedLine
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

MAX_THREADS = 4  # decoding and resampling release the GIL; with more threads the disk is the limit


@dataclass(frozen=True)
class ConversionTask:
    """A clip to make. ``key`` is a hash of all that it depends on: the audio's bytes, its name, the limits."""

    line: ParsedLine
    target: Path
    key: str


def plan_conversion(
    lines: Sequence[ParsedLine], clips: Path, limits: DurationLimits, context: JobContext
) -> tuple[list[ConversionTask], list[RejectedLine]]:
    """Hash every file; of files with the same bytes the first is kept and the others are rejected.

    Args:
        lines: in order.
        clips: folder to write to.
        limits: shortest and longest clip.
        context: of the job, to stop when it is cancelled.
    """
    tasks: list[ConversionTask] = []
    rejected: list[RejectedLine] = []
    first_use: dict[str, ParsedLine] = {}
    for line in lines:
        context.raise_if_cancelled()
        try:
            digest = hash_audio(line.path)
        except RejectedAudio as error:
            rejected.append(line.reject(error.reason, error.detail))
            continue
        first = first_use.setdefault(digest, line)
        if first is not line:
            texts = "the same text" if first.text == line.text else "another text"
            rejected.append(line.reject("duplicate_audio", f"line {first.number} has the same audio with {texts}"))
            continue
        key = hashlib.sha256(f"{digest} {line.clip_name} {limits.min_s} {limits.max_s}".encode()).hexdigest()
        tasks.append(ConversionTask(line, clips / line.clip_name, key))
    return tasks, rejected


def convert_clips(
    tasks: Sequence[ConversionTask], limits: DurationLimits, journal: Journal, context: JobContext
) -> Iterator[tuple[ParsedLine, dict[str, Any]]]:
    """Convert clips in a few threads and yield each line with its journal entry, in order.

    Yields:
        A line with ``duration_s``, ``quality`` and ``sound`` (hash of the clip), or ``reason``, ``detail`` and
        ``duration_s`` of a rejection.
    """
    n_threads = min(MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(n_threads, thread_name_prefix="clips") as pool:
        ahead: deque[tuple[ConversionTask, Future[dict[str, Any]]]] = deque()
        try:
            for task in tasks:
                ahead.append((task, pool.submit(_convert, task, limits, journal.get(task.key))))
                if len(ahead) > 2 * n_threads:
                    yield _finish(*ahead.popleft(), journal, context)
            while ahead:
                yield _finish(*ahead.popleft(), journal, context)
        finally:
            pool.shutdown(cancel_futures=True)


def _convert(task: ConversionTask, limits: DurationLimits, entry: dict[str, Any] | None) -> dict[str, Any]:
    if entry is not None and ("reason" in entry or task.target.is_file()):
        return entry
    try:
        duration_s, quality = convert_clip(task.line.path, task.target, limits)
        sound = hash_audio(task.target)
    except RejectedAudio as error:
        return {"reason": error.reason, "detail": error.detail, "duration_s": error.duration_s}
    return {"duration_s": duration_s, "quality": quality, "sound": sound}


def _finish(
    task: ConversionTask, future: Future[dict[str, Any]], journal: Journal, context: JobContext
) -> tuple[ParsedLine, dict[str, Any]]:
    context.raise_if_cancelled()
    entry = future.result()
    if journal.get(task.key) != entry:
        journal.add(task.key, entry)
    return task.line, entry
