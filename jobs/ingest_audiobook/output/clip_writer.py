"""Writer of clips: account of a speech chunk's samples, WAV files, manifest rows, and rows of what was rejected."""

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, fade_cut_ends, write_clip
from jobs.audio.vad_segments import FRAME_S, SPEECH_OFF, Span
from jobs.dataset.manifest import Clip, Rejection, Source
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate, RejectedSpan
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk

SILENCE = -1  # owner of samples that no candidate and no rejected span covers
NEAR_S = 10.0  # before and after a clip: music that starts later is not its background
LONGEST_PAUSE_S = 3.0  # a longer one is an intro, an effect or a gap between tracks
FEWEST_FRAMES = 10  # a third of a second; fewer may be only the ends of words
LEAST_POWER = 1e-8  # -80 dBFS, for digital silence


def account_for_samples(
    candidates: Sequence[ClipCandidate],
    rejected: Sequence[RejectedSpan],
    speech: Sequence[RejectedSpan],
    n_samples: int,
) -> tuple[list[tuple[int, int, ClipCandidate]], list[tuple[int, int, RejectedSpan]]]:
    """Divide the samples of a chunk among candidates, rejected spans, other speech and silence, in this precedence.

    Returns (first, last, candidate) and (first, last, rejected span), together covering ``0..n_samples`` without
    overlap.
    """
    others = [*speech, *sorted(rejected, key=lambda other: other.span.start_s)]
    claims = [(*_sample_range(other.span, n_samples), number) for number, other in enumerate(others)]
    kept: list[tuple[int, int, ClipCandidate]] = []
    reached = 0
    for candidate in sorted(candidates, key=lambda candidate: candidate.span.start_s):
        first, last = _sample_range(candidate.span, n_samples)
        first = max(first, reached)  # the border of two neighbours may round to two different samples
        kept.append((first, last, candidate))
        claims.append((first, last, len(others)))
        reached = last
    not_kept = [
        (first, last, others[owner] if owner != SILENCE else RejectedSpan(Span(0, 0), "silence"))
        for first, last, owner in _owned_ranges(claims, n_samples)
        if owner < len(others)
    ]
    n_covered = sum(last - first for first, last, _ in [*kept, *not_kept])
    assert n_covered == n_samples, f"{n_covered} of {n_samples} samples accounted for"
    return kept, not_kept


def _owned_ranges(claims: Sequence[tuple[int, int, int]], n_samples: int) -> Iterator[tuple[int, int, int]]:
    """Yield ranges (first, last, owner) that cover all samples; a later claim overrides an earlier one."""
    borders = np.unique([0, n_samples, *(border for first, last, _ in claims for border in (first, last))])
    owner = np.full(len(borders) - 1, SILENCE)
    for first, last, number in claims:
        owner[np.searchsorted(borders, first) : np.searchsorted(borders, last)] = number
    begin = 0
    for end in range(1, len(borders)):
        if end == len(owner) or owner[end] != owner[begin]:
            yield int(borders[begin]), int(borders[end]), int(owner[begin])
            begin = end


def _sample_range(span: Span, n_samples: int) -> tuple[int, int]:
    first, last = (min(max(0, round(time * CLIP_RATE_HZ)), n_samples) for time in (span.start_s, span.end_s))
    return first, max(first, last)


class NoiseFloor:
    """Level of each frame of a chunk, and which frames are pauses."""

    def __init__(self, chunk: SpeechChunk) -> None:
        self._step = round(FRAME_S * CLIP_RATE_HZ)
        n_frames = min(len(chunk.probabilities), len(chunk.audio_24k) // self._step)
        frames = chunk.audio_24k[: n_frames * self._step].reshape(n_frames, self._step)
        self._power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / self._step
        self._is_pause = chunk.probabilities[:n_frames] < SPEECH_OFF
        edges = [0, *(np.flatnonzero(np.diff(self._is_pause)) + 1).tolist(), n_frames]
        for first, last in itertools.pairwise(edges):
            if (last - first) * FRAME_S > LONGEST_PAUSE_S:
                self._is_pause[first:last] = False

    def measure(self, first: int, last: int) -> dict[str, float]:
        """Return ``pause_dbfs``, the median level of pauses in and near a clip, else of the chunk, else nothing."""
        near = round(NEAR_S * CLIP_RATE_HZ)
        start, end = max(0, first - near) // self._step, (last + near) // self._step
        for part in (slice(start, end), slice(None)):
            found = self._power[part][self._is_pause[part]]
            if len(found) >= FEWEST_FRAMES:
                return {"pause_dbfs": round(10 * float(np.log10(max(float(np.median(found)), LEAST_POWER))), 1)}
        return {}


def write_chunk_clips(
    folder: Path,
    chunk: SpeechChunk,
    kept: Sequence[tuple[int, int, ClipCandidate]],
    first_number: int,
    row: Clip,
    recording: str,
) -> list[Clip]:
    """Write the clips of a chunk as ``NNNNNN.wav``, flush them to disk and return their rows, from ``row``."""
    noise_floor = NoiseFloor(chunk)
    rows: list[Clip] = []
    for number, (first, last, candidate) in enumerate(kept, first_number):
        samples = fade_cut_ends(chunk.audio_24k[first:last], candidate.span.cut_start, candidate.span.cut_end)
        audio = f"{number:06d}.wav"
        write_clip(folder / audio, samples, CLIP_RATE_HZ)
        update: dict[str, object] = {
            "audio": audio,
            "text": candidate.text,
            "duration_s": to_seconds(last - first),
            "source": locate_samples(chunk, first, last, recording),
            "quality": row.quality | noise_floor.measure(first, last),
        }
        if candidate.origin is not None:
            update["transcript"] = candidate.origin
        if candidate.spoken is not None:
            update["spoken"] = list(candidate.spoken)
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
            source=locate_samples(chunk, first, last, recording), reason=span.reason, detail=span.detail, text=span.text
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
