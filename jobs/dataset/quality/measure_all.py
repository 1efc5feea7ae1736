"""Measurement of all clips of a dataset in parallel processes.

Results are kept by the clip's hash: a resumed job repeats little, and other thresholds need no new measurement.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from jobs.asr.text_discrimination import competing_texts
from jobs.dataset.manifest import Clip
from jobs.dataset.quality.measure_clip import RECOGNISED, VERSION, Measured, Task, is_measure, measure
from jobs.dataset.quality.quality_filter import SHORT_S, SHORT_WORDS
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.split import sample_evenly
from jobs.files.reading import open_regular
from jobs.runner.worker.context import JobContext
from jobs.runner.worker.journal import Journal

JOURNAL_NAME = ".quality.jsonl"
CLIPS_A_PROCESS = 150  # fewer are measured before another process has loaded the models (3 s, 0.9 GB)
CHUNK = 8
TIMED = "subtitle"
UNCHECKED = ("curated", TIMED)  # texts that no ingest has compared with what is said


def measure_clips(
    dataset: Path,
    clips: Sequence[Clip],
    context: JobContext,
    done: Callable[[str], None],
    clips_a_process: int = CLIPS_A_PROCESS,
) -> list[Measured]:
    """Measure every clip, except DNSMOS and text match; fewer than ``clips_a_process`` are measured in this process."""
    tasks = [Task(dataset / clip.audio, clip.text, clip.language) for clip in clips]
    progress = f"of {len(clips)} clips measured"
    entries = _cached(dataset, tasks, context, lambda n: done(f"{n} {progress}"), clips_a_process)
    return [Measured.model_validate(entry) for entry in entries]


def measure_dnsmos(
    dataset: Path, clips: Sequence[Clip], context: JobContext, done: Callable[[str], None]
) -> list[dict[str, float]]:
    """Measure DNSMOS of some clips: ``ovrl``, ``bak``, ``p808``."""
    tasks = [Task(dataset / clip.audio, "", "", "mos") for clip in clips]
    return list(_cached(dataset, tasks, context, lambda n: done(f"{n} of {len(clips)} clips rated by DNSMOS")))


def measure_text_matches(
    dataset: Path, clips: Sequence[Clip], sample: TextSample, context: JobContext, done: Callable[[str], None]
) -> dict[int, float]:
    """Measure the share of the text that is recognised, 0..1, of the chosen clips.

    A short clip has no share if none of the other texts fits its audio better.
    """
    texts = [clip.text for clip in clips]
    tasks = [
        Task(dataset / clips[k].audio, texts[k], clips[k].language, "text", _rival_texts(texts, k, sample))
        for k in sample.places
    ]
    entries = _cached(dataset, tasks, context, lambda n: done(f"{n} of {len(tasks)} texts compared with the audio"))
    return {
        k: entry["text_match"]
        for k, entry in zip(sample.places, entries, strict=True)
        if entry.get("other_fits", k not in sample.short)
    }


def _rival_texts(texts: list[str], place: int, sample: TextSample) -> tuple[str, ...]:
    """Return the texts nearby of a short clip, as of subtitles that are a line off."""
    if place not in sample.short:
        return ()
    near = texts[max(0, place - NEAR_TEXTS) : place] + texts[place + 1 : place + 1 + NEAR_TEXTS]
    return tuple(competing_texts(texts[place], near)[:MOST_RIVAL_TEXTS])


def _cached(
    dataset: Path,
    tasks: Sequence[Task],
    context: JobContext,
    done: Callable[[int], None],
    clips_a_process: int = CLIPS_A_PROCESS,
) -> list[dict[str, Any]]:
    keys = [_key(task) for task in tasks]
    with Journal(dataset / JOURNAL_NAME) as journal:
        missing = {key: task for key, task in zip(keys, tasks, strict=True) if not is_measure(task, journal.get(key))}
        n_known = len(tasks) - len(missing)
        for number, (key, entry) in enumerate(_measured(missing, context, clips_a_process), n_known + 1):
            journal.add(key, entry)
            if number % CHUNK == 0 or number == len(tasks):
                done(number)
        journal.sync()
        return [journal.get(key) for key in keys]


def _key(task: Task) -> str:
    with open_regular(task.path) as stream:
        digest = hashlib.file_digest(stream, "sha256")
    digest.update(f"\0{VERSION}\0{task.text}\0{task.language}\0{task.instrument}".encode())
    digest.update("".join(f"\0{text}" for text in task.others).encode())
    return digest.hexdigest()


def _measured(
    missing: dict[str, Task], context: JobContext, clips_a_process: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    n_processes = min(len(os.sched_getaffinity(0)), len(missing) // clips_a_process)
    if n_processes < 1:
        for key, task in missing.items():
            context.raise_if_cancelled()
            yield key, measure(task)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork of threads of torch and onnxruntime may hang
    with ProcessPoolExecutor(n_processes, mp_context=spawn, initializer=_end_with_parent) as pool:
        ahead: deque[tuple[list[str], Future[list[dict[str, Any]]]]] = deque()
        waiting = iter(_chunks(missing))
        try:
            for keys, chunk in waiting:
                ahead.append((keys, pool.submit(_measure_all, chunk)))
                if len(ahead) > 2 * n_processes:
                    context.raise_if_cancelled()
                    yield from _results(*ahead.popleft())
            while ahead:
                context.raise_if_cancelled()
                yield from _results(*ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _results(keys: list[str], future: Future[list[dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    return zip(keys, future.result(), strict=True)


def _chunks(missing: dict[str, Task]) -> Iterator[tuple[list[str], list[Task]]]:
    keys = list(missing)
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        yield part, [missing[key] for key in part]


def _measure_all(tasks: list[Task]) -> list[dict[str, object]]:
    return [measure(task) for task in tasks]


def _end_with_parent() -> None:
    """Exit when the parent process dies."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


SAMPLED_SHARE, FEWEST_SAMPLED, MOST_SAMPLED = 0.05, 8, 400
MOST_TEXTS = 500  # three CPU minutes; of texts with times of their own, all are compared
NEAR_TEXTS, MOST_RIVAL_TEXTS = 20, 8  # of which each takes 0.05 s of CPU for each second of a short clip
_LONG_ENOUGH_S = 4.0  # shorter clips score lower


@dataclass(frozen=True)
class TextSample:
    """Indices of clips whose text is compared with their audio; ``note``: how many are left out and why.

    ``short``: those of them in which too few words are heard to be sure.
    """

    places: list[int]
    note: str | None = None
    short: frozenset[int] = frozenset()


def choose_for_dnsmos(
    measured: Sequence[Measured], good: Sequence[int], doubtful: Sequence[int], limits: Thresholds
) -> list[int]:
    """Choose the indices of the clips for DNSMOS: all good ones, or an even sample and those in doubt."""
    if limits.dnsmos == "off":
        return []
    if limits.dnsmos == "all":
        return list(good)
    calm = sorted(set(good) - set(doubtful))
    long = [k for k in calm if measured[k].speech_span_s >= _LONG_ENOUGH_S]
    pool = long if len(long) >= FEWEST_SAMPLED else calm
    n = max(FEWEST_SAMPLED, min(MOST_SAMPLED, round(SAMPLED_SHARE * len(measured))))
    return sorted({*doubtful, *sample_evenly(pool, n)})


def choose_for_text(
    clips: Sequence[Clip], measured: Sequence[Measured], good: Sequence[int], limits: Thresholds
) -> TextSample:
    """Choose clips whose text is compared with the audio: those not yet recognised, or all with a text. English only.

    Of curated clips an even sample, of a length at which recognition is sure; of subtitles all.
    """
    if limits.text_match == "off":
        return TextSample([])
    asked = [k for k in good if clips[k].text and (limits.text_match == "all" or clips[k].transcript in UNCHECKED)]
    english = [k for k in asked if clips[k].language == RECOGNISED]
    long = {k for k in english if measured[k].n_words >= SHORT_WORDS and measured[k].speech_span_s >= SHORT_S}
    timed = {k for k in english if clips[k].transcript == TIMED}
    fit = [k for k in english if k in long or k in timed]
    sampled = fit if limits.text_match == "all" else sample_evenly([k for k in fit if k not in timed], MOST_TEXTS)
    heard = sorted(timed.union(sampled))
    left_out = {
        "not English": len(asked) - len(english),
        f"shorter than {SHORT_S:.0f} s or {SHORT_WORDS} words": len(english) - len(fit),
        "outside the sample (text_match=all hears them)": len(fit) - len(heard),
    }
    reasons = ", ".join(f"{n} {why}" for why, n in left_out.items() if n)
    n_left_out = len(asked) - len(heard)
    note = f"The texts of {n_left_out} clips were not checked: {reasons}." if reasons else None
    return TextSample(heard, note, frozenset(heard) - long)
