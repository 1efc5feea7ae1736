"""Writer of clips: the WAV files of a speech chunk, their manifest rows, and the rows of what was rejected."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.audio.recording import Samples
from jobs.dataset.manifest import Clip, Rejection, Source
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate, RejectedSpan
from jobs.ingest_audiobook.input.noise_floor import NoiseFloor
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk

FADE_S = 0.04


def write_chunk_clips(
    folder: Path,
    chunk: SpeechChunk,
    kept: Sequence[tuple[int, int, ClipCandidate]],
    first_number: int,
    row: Clip,
    recording: str,
) -> list[Clip]:
    """Write the clips of a chunk, flush them to disk and return their rows.

    Args:
        folder: of the unit; clips are named ``NNNNNN.wav``.
        chunk: the audio.
        kept: (first, last, candidate) from ``account_for_samples``.
        first_number: number of the first clip within the unit.
        row: values that all rows share (speaker, language, transcript).
        recording: name, for ``source``.
    """
    noise_floor = NoiseFloor(chunk)
    rows: list[Clip] = []
    for number, (first, last, candidate) in enumerate(kept, first_number):
        samples = fade_cut_ends(chunk.audio_24k[first:last], candidate.span.cut_start, candidate.span.cut_end)
        audio = f"{number:06d}.wav"
        write_clip(folder / audio, samples, CLIP_RATE_HZ)
        spoken = {"spoken": list(candidate.spoken)} if candidate.spoken is not None else {}
        update = {
            "audio": audio,
            "text": candidate.text,
            "duration_s": to_seconds(last - first),
            "source": locate_samples(chunk, first, last, recording),
            "quality": row.quality | noise_floor.measure(first, last),
            **spoken,
        }
        rows.append(row.model_copy(update=update))
    for written_row in rows:  # on disk before the unit counts as finished
        with (folder / written_row.audio).open("rb") as stream:
            os.fsync(stream.fileno())
    return rows


def make_rejections(
    chunk: SpeechChunk, rejected: Sequence[tuple[int, int, RejectedSpan]], recording: str
) -> list[Rejection]:
    """Make the rows of ``rejections.jsonl`` of a chunk."""
    return [
        Rejection(
            source=locate_samples(chunk, first, last, recording),
            reason=span.reason,
            detail=span.detail,
            text=span.text,
        )
        for first, last, span in rejected
    ]


def locate_samples(chunk: SpeechChunk, first: int, last: int, recording: str) -> Source:
    """Return where samples ``first:last`` of a chunk lie in the recording."""
    start, end = chunk.start_24k + first, chunk.start_24k + last
    return Source(recording=recording, chapter=chunk.chapter, start_s=to_seconds(start), end_s=to_seconds(end))


def to_seconds(n_samples: int) -> float:
    """Convert samples at 24 kHz to seconds, exact enough that multiplying and rounding gives the samples back."""
    return round(n_samples / CLIP_RATE_HZ, 6)


def fade_cut_ends(samples: Samples, at_start: bool, at_end: bool) -> Samples:
    """Return a copy with a fade of 40 ms at each end that is cut within speech, to avoid a click."""
    samples = samples.copy()
    n_fade = min(int(FADE_S * CLIP_RATE_HZ), len(samples))
    ramp = np.linspace(0.0, 1.0, n_fade, dtype=np.float32)
    if at_start:
        samples[:n_fade] *= ramp
    if at_end and n_fade:
        samples[-n_fade:] *= ramp[::-1]
    return samples
