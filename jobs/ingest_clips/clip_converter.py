"""Converter of curated clips: any rate and format to 24 kHz mono WAV, measured, in a few threads, with a journal."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, header_length_s, read_clip, sample_rate_hz, write_clip
from jobs.dataset.manifest import LONGEST_CLIP_S, ClipSeconds, RejectionError
from jobs.errors import UserError
from jobs.files.reading import hash_file
from jobs.ingest_clips.transcript_parser import ParsedLine, RejectedLine
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

SILENT_DBFS = -60.0
FULL_SCALE = 0.999  # 16-bit audio that was clipped sits at 32,767 / 32,768 and just below
LOWEST_RATE_HZ = 11_025  # a lower rate lacks the sounds s and f
MIN_CLIPPED_RUN = 3  # a single full-scale sample is a peak, several in a row are a flattened peak


class RejectedAudio(RejectionError):
    """Rejection of a clip by its audio; ``duration_s`` is 0 when unknown."""

    def __init__(self, reason: str, detail: str, duration_s: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.duration_s = duration_s


@dataclass(frozen=True)
class DurationLimits:
    """Shortest and longest clip, seconds."""

    min_s: float
    max_s: float


def hash_audio(path: Path) -> str:
    """Return the SHA-256 of an audio file. Raises ``RejectedAudio``: ``unreadable``."""
    try:
        return hash_file(path)
    except UserError as error:
        raise RejectedAudio("unreadable", error.message) from error
    except OSError as error:
        raise RejectedAudio("unreadable", f"{path}: {error.strerror}") from error


def convert_clip(source: Path, target: Path, limits: DurationLimits) -> tuple[float, dict[str, float]]:
    """Write ``source`` as 24 kHz mono 16-bit WAV; returns seconds and quality.

    The quality is ``peak_dbfs``, ``rms_dbfs`` and ``clipped`` (share of samples in flattened peaks, 0..1). Raises
    ``RejectedAudio``: ``unreadable``, ``empty``, ``sample_rate_low``, ``too_short``, ``too_long``, ``silent``. No file
    is written.
    """
    try:
        rate_hz = sample_rate_hz(source)
        header_s = header_length_s(source) or 0.0
        _check_header(rate_hz, header_s, limits)
        samples = read_clip(source, CLIP_RATE_HZ, longest_s=limits.max_s)
    except UserError as error:
        raise RejectedAudio("empty" if error.code == "audio_empty" else "unreadable", error.message) from error
    duration_s = len(samples) / CLIP_RATE_HZ
    if not np.isfinite(samples).all():
        raise RejectedAudio("unreadable", f"{source} holds samples that are not numbers", duration_s)
    if duration_s < limits.min_s:
        raise RejectedAudio("too_short", f"{duration_s:.2f} s is under {limits.min_s} s", duration_s)
    if duration_s > limits.max_s:
        raise RejectedAudio("too_long", f"{duration_s:.2f} s is over {limits.max_s} s", duration_s)
    quality = measure(samples)
    if quality["peak_dbfs"] < SILENT_DBFS:
        raise RejectedAudio("silent", f"its peak is {quality['peak_dbfs']} dBFS", duration_s)
    write_clip(target, samples, CLIP_RATE_HZ)
    return round(duration_s, 4), quality


def _check_header(rate_hz: int, header_s: float, limits: DurationLimits) -> None:
    """Refuse what need not be decoded: at a very low rate or length it would fill the memory."""
    if rate_hz < LOWEST_RATE_HZ:
        why = f"{rate_hz} Hz hold nothing above {rate_hz // 2} Hz; at least {LOWEST_RATE_HZ} Hz are needed"
        raise RejectedAudio("sample_rate_low", why, min(header_s, LONGEST_CLIP_S))
    if header_s > limits.max_s + 1:
        raise RejectedAudio("too_long", f"{header_s:.2f} s is over {limits.max_s} s", min(header_s, LONGEST_CLIP_S))


def measure(samples: Samples) -> dict[str, float]:
    """Measure level and clipping of mono samples, shape ``(n,)``; levels in dBFS."""
    magnitude = np.abs(samples)
    return {
        "peak_dbfs": _decibels(float(magnitude.max())),
        "rms_dbfs": _decibels(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))),
        "clipped": round(_clipped_share(magnitude), 6),
    }


def _clipped_share(magnitude: Samples) -> float:
    """Compute the share of samples in runs of at least ``MIN_CLIPPED_RUN`` at full scale."""
    is_full = np.concatenate([[False], magnitude >= FULL_SCALE, [False]])
    edges = np.flatnonzero(np.diff(is_full.astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= MIN_CLIPPED_RUN].sum()) / len(magnitude)


def _decibels(amplitude: float) -> float:
    return round(20 * float(np.log10(max(amplitude, 1e-6))), 2)


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
    """Hash every file; of files with the same bytes the first is kept and the others are rejected."""
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

    The entry has ``duration_s``, ``quality`` and ``sound`` (hash of the clip), or ``reason``, ``detail`` and
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


class _Rejected(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    reason: str = Field(min_length=1)
    detail: str
    duration_s: ClipSeconds


class _Quality(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    peak_dbfs: float
    rms_dbfs: float
    clipped: float = Field(ge=0, le=1)


class _Converted(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    duration_s: ClipSeconds
    quality: _Quality
    sound: str


_ENTRY: TypeAdapter[_Rejected | _Converted] = TypeAdapter(_Rejected | _Converted)


def _still_holds(task: ConversionTask, value: Any) -> bool:
    """Return whether a value of the journal, which lies in the dataset, is one of this job, and its clip the same."""
    try:
        entry = _ENTRY.validate_python(value)
        return isinstance(entry, _Rejected) or hash_audio(task.target) == entry.sound
    except (ValidationError, RejectedAudio):
        return False


def _convert(task: ConversionTask, limits: DurationLimits, entry: Any) -> dict[str, Any]:
    if _still_holds(task, entry):
        return dict(entry)
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
