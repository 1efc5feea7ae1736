"""Speech chunks: a work unit decoded in one pass and bounded memory, divided at pauses into chunks of a few minutes.

Decoder, resamplers and voice activity detection run through a unit without a break and start afresh with each unit,
so a unit has the same samples in every process. Times are counted in samples: ``start_24k`` is a position
in the recording at 24 kHz.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.asr.silero_vad import StreamVad, speech_probabilities
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ
from jobs.audio.recording import AudioBlock, Recording, Samples
from jobs.audio.resampling import open_resample_stream, resample
from jobs.audio.vad_segments import FRAME_S, SPEECH_OFF, Span
from jobs.ingest_audiobook.input.audio_buffer import AudioBuffer
from jobs.ingest_audiobook.input.work_units import WorkUnit

MAX_CHUNK_S = 180.0
CUT_WITHIN_S = 60.0  # before the end of the longest possible chunk: the longest pause there ends the chunk
BLOCK_S = 5.0


@dataclass(frozen=True)
class SpeechChunk:
    """A few minutes of one chapter: (samples,) at 24 kHz for clips and at 16 kHz for speech models.

    ``start_24k`` is a position in the recording; ``probabilities`` (frames,) of speech are for 32 ms each.
    """

    chapter: int | None
    start_24k: int
    audio_24k: Samples
    audio_16k: Samples
    probabilities: Samples

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
        """Position after the last sample."""
        return self.start_24k + len(self.audio_24k)


@dataclass(frozen=True)
class UnitEnd:
    """Mark after the last chunk of a unit. ``is_recording_end``: no audio follows in the recording."""

    is_recording_end: bool


def read_speech_chunks(
    recording: Recording,
    units: Sequence[WorkUnit],
    *,
    keep_whole: Sequence[Span] = (),
    max_chunk_s: float = MAX_CHUNK_S,
) -> Iterator[tuple[WorkUnit, SpeechChunk | UnitEnd]]:
    """Decode a recording once and yield the chunks of its units, each unit followed by a ``UnitEnd``, in order.

    A unit that starts after the recording's end has no chunk. No cut but a chapter's border falls into ``keep_whole``
    (seconds of the recording). Raises ``UserError``: those of ``Recording.blocks``.
    """
    rate = recording.info.sample_rate_hz
    vad, border_vad = StreamVad(), StreamVad()
    last = units[-1]
    end = None if last.end is None else last.end + last.seeks_end + 1  # one more sample, to see whether audio follows
    source = _BlockReader(recording.blocks(units[0].start, end, BLOCK_S), units[0].start)
    for unit in units:
        source.skip_to(unit.start)
        if unit.seeks_start and source.position == unit.start:
            n_skipped = _unit_border(source.peek(unit.seeks_start), unit.start, rate, keep_whole, border_vad)
            source.skip_to(unit.start + n_skipped)
        start = source.position
        blocks = _unit_blocks(source, unit, rate, keep_whole, border_vad)
        for chunk in _cut_at_pauses(blocks, vad, unit, start, rate, keep_whole, max_chunk_s):
            yield unit, chunk
            del chunk  # release its memory before the next chunk is decoded
        yield unit, UnitEnd(source.is_at_end)


def to_24k(sample: int, rate_hz: int) -> int:
    """Convert a position at the source's rate to 24 kHz, rounded."""
    return (sample * CLIP_RATE_HZ + rate_hz // 2) // rate_hz


class _BlockReader:
    """Reader of decoded blocks that can look ahead."""

    def __init__(self, blocks: Iterator[AudioBlock], position: int) -> None:
        self._blocks = blocks
        self._pending: list[Samples] = []
        self.position = position

    @property
    def is_at_end(self) -> bool:
        """True when no sample is left."""
        return not len(self.peek(1))

    def peek(self, n_samples: int) -> Samples:
        """Return the next samples without consuming them; fewer at the end."""
        self._fetch(n_samples)
        return np.concatenate([*self._pending, np.zeros(0, np.float32)])[:n_samples]

    def read_to(self, end: int | None) -> Iterator[Samples]:
        """Consume the samples before ``end``."""
        while (end is None or self.position < end) and not self.is_at_end:
            yield self._take(None if end is None else end - self.position)

    def skip_to(self, start: int) -> None:
        """Drop the samples before ``start``."""
        for _ in self.read_to(start):
            pass

    def _fetch(self, n_samples: int) -> None:
        while sum(map(len, self._pending)) < n_samples and (block := next(self._blocks, None)) is not None:
            self._pending.append(block.samples)

    def _take(self, at_most: int | None) -> Samples:
        samples = self._pending.pop(0)
        if at_most is not None and len(samples) > at_most:
            self._pending.insert(0, samples[at_most:])
            samples = samples[:at_most]
        self.position += len(samples)
        return samples


def _unit_border(window: Samples, start: int, rate: int, keep_whole: Sequence[Span], vad: StreamVad) -> int:
    """Return the samples of a window before the pause that divides two units; both units compute the same."""
    if len(window) < rate:  # the recording ends here
        return len(window)
    probabilities = speech_probabilities(vad, resample(window, rate, SPEECH_RATE_HZ))
    marked = _protect(probabilities, start / rate, keep_whole)
    return min(len(window), int(longest_pause(marked, 0, len(marked)) * FRAME_S * rate))


def _unit_blocks(
    source: _BlockReader, unit: WorkUnit, rate: int, keep_whole: Sequence[Span], vad: StreamVad
) -> Iterator[Samples]:
    yield from source.read_to(unit.end)
    if unit.seeks_end and unit.end is not None and source.position == unit.end:
        n_more = _unit_border(source.peek(unit.seeks_end), unit.end, rate, keep_whole, vad)
        yield from source.read_to(unit.end + n_more)


def _cut_at_pauses(
    blocks: Iterator[Samples],
    vad: StreamVad,
    unit: WorkUnit,
    start: int,
    rate: int,
    keep_whole: Sequence[Span],
    max_chunk_s: float,
) -> Iterator[SpeechChunk]:
    """Resample the audio of a unit, detect speech and divide it at pauses."""
    vad.reset()
    to_clips = open_resample_stream(rate, CLIP_RATE_HZ)
    to_speech = open_resample_stream(rate, SPEECH_RATE_HZ)
    position = to_24k(start, rate)
    n_source = 0
    n_frames = int(max_chunk_s / FRAME_S)
    buffer = AudioBuffer(n_frames + 2 * int(BLOCK_S / FRAME_S))
    for samples in _equal_blocks(blocks, int(BLOCK_S * rate)):
        n_source += len(samples)
        speech = to_speech.resample_chunk(samples)
        buffer.add(to_clips.resample_chunk(samples), speech, vad.push(speech))
        while buffer.has(n_frames):
            n_taken = _frames_before_pause(buffer, n_frames, position, keep_whole)
            chunk = SpeechChunk(unit.chapter, position, *buffer.take(n_taken))
            position = chunk.end_24k
            yield chunk
            del chunk
    if not n_source:
        return
    nothing = np.zeros(0, np.float32)
    speech = to_speech.resample_chunk(nothing, last=True)
    buffer.add(to_clips.resample_chunk(nothing, last=True), speech, vad.push(speech))
    buffer.add(nothing, nothing, vad.finish())
    buffer.resize(to_24k(start + n_source, rate) - position)
    if len(buffer.audio_24k):
        yield SpeechChunk(unit.chapter, position, *buffer.take(None))


def _frames_before_pause(buffer: AudioBuffer, n_frames: int, start_24k: int, keep_whole: Sequence[Span]) -> int:
    """Return the frame of the pause that ends a chunk of at most ``n_frames``."""
    n_within = min(n_frames // 2, int(CUT_WITHIN_S / FRAME_S))
    marked = _protect(buffer.probabilities.peek(n_frames), start_24k / CLIP_RATE_HZ, keep_whole)
    return max(1, longest_pause(marked, n_frames - n_within, n_frames))


def longest_pause(probabilities: Samples, first: int, last: int) -> int:
    """The frame in the middle of the longest run of silence within ``first:last``; else the least-speech frame."""
    best, best_length, run = -1, 0, 0
    for frame in range(first, last):
        run = run + 1 if probabilities[frame] < SPEECH_OFF else 0
        if run > best_length:
            best, best_length = frame - run // 2, run
    return best if best_length else first + int(np.argmin(probabilities[first:last]))


def _protect(probabilities: Samples, start_s: float, keep_whole: Sequence[Span]) -> Samples:
    """Return the probabilities with 2.0, above any speech, in spans that must not be cut."""
    marked = probabilities.copy()
    for span in keep_whole:
        first, last = (int((time - start_s) / FRAME_S) for time in (span.start_s, span.end_s))
        if last >= 0 and first < len(marked):
            marked[max(0, first) : last + 1] = 2.0
    return marked


def _equal_blocks(blocks: Iterable[Samples], n_samples: int) -> Iterator[Samples]:
    """Yield the same samples in blocks of equal length, so that results do not depend on the decoder's blocks."""
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
