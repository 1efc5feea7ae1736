"""A recording of any length as stretches of some minutes, in bounded memory: never across a chapter's border.

A stretch starts afresh (resampling, voice activity), so a job that was killed goes on with the next stretch and
gets the same samples. Times come from counting samples: ``start_24k`` is the sample of the 24 kHz recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.speech.audio import (
    CLIP_RATE_HZ,
    SPEECH_RATE_HZ,
    AudioBlock,
    RecordingInfo,
    Samples,
    decode_blocks,
    resample,
)
from jobs.speech.segments import FRAME_S, Span, longest_pause
from jobs.whisper.vad import StreamVad, speech_probabilities

MAX_STRETCH_S = 300.0
CUT_WITHIN_S = 60.0  # of the end of a long stretch: its longest pause there ends it


@dataclass(frozen=True)
class Place:
    """Where the next stretch starts; what a job must remember to go on."""

    index: int = 0
    start_sample: int = 0


@dataclass(frozen=True)
class Stretch:
    """Some minutes of one chapter. Sample positions ``start_sample`` and ``end_sample`` are at the source's rate."""

    index: int
    chapter: int | None
    start_sample: int
    end_sample: int
    start_24k: int
    audio_24k: Samples
    audio_16k: Samples
    probabilities: Samples  # of speech, one each 32 ms

    @property
    def start_s(self) -> float:
        """Seconds from the recording's start."""
        return self.start_24k / CLIP_RATE_HZ

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.audio_24k) / CLIP_RATE_HZ


def stretches(
    path: Path,
    info: RecordingInfo,
    start: Place,
    *,
    limit_s: float | None = None,
    keep_whole: Sequence[Span] = (),
    max_stretch_s: float = MAX_STRETCH_S,
) -> Iterator[Stretch]:
    """Decode the recording from its start and hand out the stretches from ``start`` on.

    Args:
        path: the recording.
        info: its chapters.
        start: earlier stretches are decoded and dropped: seeking is not sample-exact in every container.
        limit_s: stop after this much of the recording.
        keep_whole: spans (seconds of the recording) that no cut but a chapter's border may fall into.
        max_stretch_s: longest stretch, seconds.

    Raises:
        UserError: those of ``jobs.speech.audio.decode_blocks``.
    """
    vad = StreamVad()
    buffer = np.zeros(0, np.float32)
    index, position = start.index, start.start_sample
    rate = info.sample_rate_hz
    borders = _borders(info, rate)
    for block in _limited(decode_blocks(path), limit_s):
        buffer = np.concatenate([buffer, _after(block, position + len(buffer))])
        while (end := _next_end(position, len(buffer), borders, int(max_stretch_s * rate))) is not None:
            stretch = _stretch(index, borders, position, buffer[: end - position], rate, vad)
            if end - position == int(max_stretch_s * rate):  # no border in sight: cut in a pause
                end = position + _pause_sample(stretch, rate, keep_whole)
                stretch = _stretch(index, borders, position, buffer[: end - position], rate, vad)
            yield stretch
            buffer = buffer[end - position :].copy()  # a view would keep the whole buffer alive
            index, position = index + 1, end
    if len(buffer):
        yield _stretch(index, borders, position, buffer, rate, vad)


def to_24k(sample: int, rate_hz: int) -> int:
    """Position at 24 kHz of a position at the source's rate, rounded."""
    return (sample * CLIP_RATE_HZ + rate_hz // 2) // rate_hz


def _borders(info: RecordingInfo, rate: int) -> list[tuple[int, int]]:
    """(first sample, number) of each chapter; what lies before the first belongs to it."""
    starts: list[tuple[int, int]] = []
    for number, chapter in enumerate(info.chapters, 1):
        sample = round(chapter.start_s * rate) if number > 1 else 0
        if not starts or sample > starts[-1][0]:  # a mark that does not advance names nothing
            starts.append((sample, number))
    return starts


def _chapter_at(borders: Sequence[tuple[int, int]], sample: int) -> int | None:
    return max((number for start, number in borders if start <= sample), default=None)


def _limited(blocks: Iterator[AudioBlock], limit_s: float | None) -> Iterator[AudioBlock]:
    for block in blocks:
        if limit_s is None:
            yield block
            continue
        n_left = int(limit_s * block.sample_rate_hz) - block.start_sample
        if n_left <= 0:
            return
        yield AudioBlock(block.samples[:n_left], block.sample_rate_hz, block.start_sample)


def _after(block: AudioBlock, position: int) -> Samples:
    """The part of a block from ``position`` on."""
    return block.samples[max(0, position - block.start_sample) :]


def _next_end(position: int, n_have: int, borders: Sequence[tuple[int, int]], n_max: int) -> int | None:
    """Where the stretch at ``position`` ends, once the samples that decide it are there."""
    border = next((start for start, _ in borders if start > position), None)
    if border is not None and border - position <= min(n_have, n_max):
        return border
    return position + n_max if n_have >= n_max else None


def _stretch(
    index: int,
    borders: Sequence[tuple[int, int]],
    position: int,
    samples: Samples,
    rate: int,
    vad: StreamVad,
) -> Stretch:
    start_24k, end_24k = to_24k(position, rate), to_24k(position + len(samples), rate)
    audio_16k = resample(samples, rate, SPEECH_RATE_HZ)
    return Stretch(
        index=index,
        chapter=_chapter_at(borders, position),
        start_sample=position,
        end_sample=position + len(samples),
        start_24k=start_24k,
        audio_24k=_of_length(resample(samples, rate, CLIP_RATE_HZ), end_24k - start_24k),
        audio_16k=audio_16k,
        probabilities=speech_probabilities(vad, audio_16k),
    )


def _of_length(samples: Samples, length: int) -> Samples:
    """A resampler may give one sample more or less than positions say."""
    return np.pad(samples, (0, max(0, length - len(samples))))[:length]


def _pause_sample(stretch: Stretch, rate: int, keep_whole: Sequence[Span]) -> int:
    """Samples at the source's rate from the stretch's start to the pause that ends it."""
    probabilities = stretch.probabilities.copy()
    for span in keep_whole:
        first, last = (int((time - stretch.start_s) / FRAME_S) for time in (span.start_s, span.end_s))
        if last >= 0:
            probabilities[max(0, first) : last + 1] = 2.0  # surer than speech
    n_frames = len(probabilities)
    n_within = min(n_frames // 2, int(CUT_WITHIN_S / FRAME_S))
    frame = longest_pause(probabilities, n_frames - n_within, n_frames)
    return max(1, min(int(frame * FRAME_S * rate), stretch.end_sample - stretch.start_sample))
