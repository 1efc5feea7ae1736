"""The sound of a unit as stretches of some minutes, in one pass and bounded memory.

Decoding, both resamplers and the voice activity run through the unit without a break; a stretch ends in a pause.
Each unit starts them afresh, so whoever begins with it gets the same samples. Times come from counting samples:
``start_24k`` is the sample of the recording at 24 kHz.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from jobs.asr.silero_vad import StreamVad, speech_probabilities
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, resample
from jobs.audio.recording import AudioBlock, Recording, Samples
from jobs.audio.vad_segments import FRAME_S, Span, longest_pause
from jobs.ingest_audiobook.input.audio_buffer import Held
from jobs.ingest_audiobook.input.work_units import Unit

MAX_STRETCH_S = 180.0
CUT_WITHIN_S = 60.0  # of the end of a stretch: its longest pause there ends it
BLOCK_S = 5.0


@dataclass(frozen=True)
class Stretch:
    """Some minutes of one chapter."""

    chapter: int | None
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

    @property
    def end_24k(self) -> int:
        """The sample after the last."""
        return self.start_24k + len(self.audio_24k)


@dataclass(frozen=True)
class UnitEnd:
    """After the last stretch of a unit, if it had any. ``is_recording_end``: there is no sound behind it."""

    is_recording_end: bool


def stretches(
    recording: Recording,
    units: Sequence[Unit],
    *,
    keep_whole: Sequence[Span] = (),
    max_stretch_s: float = MAX_STRETCH_S,
) -> Iterator[tuple[Unit, Stretch | UnitEnd]]:
    """Decode the recording once and hand out the stretches of its units and their ends, in order.

    A unit whose start lies after the recording's end has no stretch.

    Args:
        recording: the file.
        units: of this recording, in order.
        keep_whole: spans (seconds of the recording) that no cut but a chapter's border may fall into.
        max_stretch_s: longest stretch, seconds.

    Raises:
        UserError: those of ``Recording.blocks``.
    """
    rate = recording.info.sample_rate_hz
    vad, border_vad = StreamVad(), StreamVad()
    last = units[-1]
    end = None if last.end is None else last.end + last.seeks_end + 1  # is there anything behind it?
    source = _Source(recording.blocks(units[0].start, end, BLOCK_S), units[0].start)
    for unit in units:
        source.skip_to(unit.start)
        if unit.seeks_start and source.position == unit.start:
            source.skip_to(
                unit.start + _border(source.ahead(unit.seeks_start), unit.start, rate, keep_whole, border_vad)
            )
        start = source.position
        blocks = _unit_blocks(source, unit, rate, keep_whole, border_vad)
        for stretch in _cut(blocks, vad, unit, start, rate, keep_whole, max_stretch_s):
            yield unit, stretch
            del stretch  # whoever wants it has it: not in memory while the next one grows
        yield unit, UnitEnd(source.is_at_end)


def to_24k(sample: int, rate_hz: int) -> int:
    """Position at 24 kHz of a position at the source's rate, rounded."""
    return (sample * CLIP_RATE_HZ + rate_hz // 2) // rate_hz


class _Source:
    """Decoded blocks of which some may be looked at before they are taken."""

    def __init__(self, blocks: Iterator[AudioBlock], position: int) -> None:
        self._blocks = blocks
        self._ahead: list[Samples] = []
        self.position = position

    @property
    def is_at_end(self) -> bool:
        """True when nothing is left."""
        return not len(self.ahead(1))

    def ahead(self, n_samples: int) -> Samples:
        """The next samples, which stay to be taken; fewer at the end."""
        self._fetch(n_samples)
        return np.concatenate([*self._ahead, np.zeros(0, np.float32)])[:n_samples]

    def until(self, end: int | None) -> Iterator[Samples]:
        """Take the samples up to ``end``."""
        while (end is None or self.position < end) and not self.is_at_end:
            yield self._take(None if end is None else end - self.position)

    def skip_to(self, start: int) -> None:
        """Drop what lies before ``start``."""
        for _ in self.until(start):
            pass

    def _fetch(self, n_samples: int) -> None:
        while sum(map(len, self._ahead)) < n_samples and (block := next(self._blocks, None)) is not None:
            self._ahead.append(block.samples)

    def _take(self, at_most: int | None) -> Samples:
        samples = self._ahead.pop(0)
        if at_most is not None and len(samples) > at_most:
            self._ahead.insert(0, samples[at_most:])
            samples = samples[:at_most]
        self.position += len(samples)
        return samples


def _border(window: Samples, start: int, rate: int, keep_whole: Sequence[Span], vad: StreamVad) -> int:
    """Samples of a window up to the pause that divides two units; both find it by this."""
    if len(window) < rate:  # the recording ends here
        return len(window)
    probabilities = speech_probabilities(vad, resample(window, rate, SPEECH_RATE_HZ))
    marked = _with_whole(probabilities, start / rate, keep_whole)
    return min(len(window), int(longest_pause(marked, 0, len(marked)) * FRAME_S * rate))


def _unit_blocks(
    source: _Source, unit: Unit, rate: int, keep_whole: Sequence[Span], vad: StreamVad
) -> Iterator[Samples]:
    yield from source.until(unit.end)
    if unit.seeks_end and unit.end is not None and source.position == unit.end:
        n_more = _border(source.ahead(unit.seeks_end), unit.end, rate, keep_whole, vad)
        yield from source.until(unit.end + n_more)


def _cut(
    blocks: Iterator[Samples],
    vad: StreamVad,
    unit: Unit,
    start: int,
    rate: int,
    keep_whole: Sequence[Span],
    max_stretch_s: float,
) -> Iterator[Stretch]:
    """Divide the sound of a unit at its pauses."""
    vad.reset()
    to_clips = soxr.ResampleStream(rate, CLIP_RATE_HZ, 1, dtype="float32", quality="HQ")
    to_speech = soxr.ResampleStream(rate, SPEECH_RATE_HZ, 1, dtype="float32", quality="HQ")
    position = to_24k(start, rate)
    n_source = 0
    n_frames = int(max_stretch_s / FRAME_S)
    held = Held(n_frames + 2 * int(BLOCK_S / FRAME_S))
    for samples in _even(blocks, int(BLOCK_S * rate)):
        n_source += len(samples)
        speech = to_speech.resample_chunk(samples)
        held.add(to_clips.resample_chunk(samples), speech, vad.push(speech))
        while held.has(n_frames):
            stretch = Stretch(unit.chapter, position, *held.taken(_pause(held, n_frames, position, keep_whole)))
            position = stretch.end_24k
            yield stretch
            del stretch
    if not n_source:
        return
    nothing = np.zeros(0, np.float32)
    speech = to_speech.resample_chunk(nothing, last=True)
    held.add(to_clips.resample_chunk(nothing, last=True), speech, vad.push(speech))
    held.add(nothing, nothing, vad.finish())
    held.end(to_24k(start + n_source, rate) - position)
    if len(held.clips):
        yield Stretch(unit.chapter, position, *held.taken(None))


def _pause(held: Held, n_frames: int, start_24k: int, keep_whole: Sequence[Span]) -> int:
    """The frame of the pause that ends a stretch of at most ``n_frames``."""
    n_within = min(n_frames // 2, int(CUT_WITHIN_S / FRAME_S))
    marked = _with_whole(held.probabilities.first(n_frames), start_24k / CLIP_RATE_HZ, keep_whole)
    return max(1, longest_pause(marked, n_frames - n_within, n_frames))


def _with_whole(probabilities: Samples, start_s: float, keep_whole: Sequence[Span]) -> Samples:
    """The probabilities with spans that must not be cut marked as surer than speech."""
    marked = probabilities.copy()
    for span in keep_whole:
        first, last = (int((time - start_s) / FRAME_S) for time in (span.start_s, span.end_s))
        if last >= 0 and first < len(marked):
            marked[max(0, first) : last + 1] = 2.0
    return marked


def _even(blocks: Iterable[Samples], n_samples: int) -> Iterator[Samples]:
    """The same samples in blocks of one length, so that nothing depends on how they came."""
    pending: list[Samples] = []
    n_pending = 0
    for samples in blocks:
        pending.append(samples)
        n_pending += len(samples)
        while n_pending >= n_samples:
            joined = np.concatenate(pending)
            yield joined[:n_samples]
            pending, n_pending = [joined[n_samples:]], n_pending - n_samples
    if n_pending:
        yield np.concatenate(pending)
