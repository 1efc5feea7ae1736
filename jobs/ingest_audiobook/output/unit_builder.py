"""Units are made: each stretch gets its text, its clips are written, and every sample of it is accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.dataset.manifest import Clip
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits, Piece, Refusal
from jobs.ingest_audiobook.cut.sample_accounting import tiled
from jobs.ingest_audiobook.cut.unit_cuts import without_cut_words
from jobs.ingest_audiobook.input.source_files import Book
from jobs.ingest_audiobook.input.speech_chunks import Stretch, stretches, to_24k
from jobs.ingest_audiobook.input.work_units import Unit
from jobs.ingest_audiobook.output.ingest_state import UnitRecord, Workbench, rejections, write_stretch_clips
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.credits import is_credit
from jobs.ingest_audiobook.text.text_sources import Transcript


@dataclass(frozen=True)
class Heard:
    """A part of a unit is done; its length in seconds."""

    unit: int
    heard_s: float


@dataclass(frozen=True)
class Made:
    """A unit is done and waits for its turn."""

    unit: int


Event = Heard | Made


def make_units(
    units: Sequence[Unit], book: Book, params: Params, transcript: Transcript, staged: Path
) -> Iterator[Event]:
    """Make units of one recording, in order, and tell of each stretch but a unit's last, and of each unit.

    Args:
        units: of one recording.
        book: the recordings.
        params: of the job.
        transcript: where the texts come from.
        staged: where units are made.

    Raises:
        UserError: unreadable audio; Whisper's errors.
    """
    recording, name = book.recordings[units[0].recording], book.names[units[0].recording]
    rate = recording.info.sample_rate_hz
    maker: _Maker | None = None
    transcript.begin(units[0])
    for unit, part in stretches(recording, units, keep_whole=transcript.keep_whole):
        if maker is None or maker.unit != unit:
            transcript.begin(unit)
            maker = _Maker(unit, name, rate, params, transcript, Workbench(staged, unit.index))
        if isinstance(part, Stretch):
            if maker.last_s:
                yield Heard(unit.index, maker.last_s)
            maker.add(part)
            del part  # megabytes, while the next one grows
        else:
            maker.finish(to_24k(unit.start, rate), is_recording_end=part.is_recording_end)
            yield Made(unit.index)


class _Maker:
    """Collects what comes of one unit."""

    def __init__(
        self, unit: Unit, name: str, rate_hz: int, params: Params, transcript: Transcript, bench: Workbench
    ) -> None:
        self.unit = unit
        self.last_s = 0.0
        self._name, self._rate_hz, self._transcript, self._bench = name, rate_hz, transcript, bench
        self._limits = limits_of(params)
        self._common = Clip(
            audio="",
            text="",
            speaker=params.voice,
            language=params.language,
            transcript=transcript.origin,
        )
        self._record: UnitRecord | None = None

    def add(self, stretch: Stretch) -> None:
        """Cut one stretch into clips, write them, and note what came of every sample."""
        pieces, refused, rest = self._transcript.pieces(stretch, self._limits)
        pieces, announced = without_credits(pieces)
        pieces, cut = without_cut_words(pieces, stretch, self.unit, self._rate_hz)
        kept, rejected = tiled(pieces, refused + announced + cut, rest, len(stretch.audio_24k))
        record = self._record or empty_record(self.unit, stretch.start_24k)
        clips = write_stretch_clips(self._bench.folder, stretch, kept, len(record.clips), self._common, self._name)
        self._record = record.model_copy(
            update={
                "end_24k": stretch.end_24k,
                "clips": record.clips + clips,
                "rejections": record.rejections + rejections(stretch, rejected, self._name),
                "n_words": record.n_words + sum(piece.n_words for _, _, piece in kept),
            }
        )
        self.last_s = stretch.duration_s

    def finish(self, start_24k: int, *, is_recording_end: bool) -> None:
        """Leave the unit where it waits for its turn."""
        record = self._record or empty_record(self.unit, start_24k)
        self._bench.finish(record.model_copy(update={"is_recording_end": is_recording_end}))


def empty_record(unit: Unit, start_24k: int) -> UnitRecord:
    """The record of a unit without sound."""
    return UnitRecord(
        index=unit.index,
        recording=unit.recording,
        chapter=unit.chapter,
        start_24k=start_24k,
        end_24k=start_24k,
        clips=[],
        rejections=[],
        n_words=0,
    )


def limits_of(params: Params) -> ClipLimits:
    """Lengths of clips, from the parameters."""
    return ClipLimits(params.min_clip_s, params.target_clip_s, params.max_clip_s, params.max_gap_s, params.pad_s)


def without_credits(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Refusal]]:
    """Refuse pieces whose text announces the recording."""
    kept = [piece for piece in pieces if not is_credit(piece.text)]
    refused = [Refusal(piece.span, "credits", "", piece.text) for piece in pieces if is_credit(piece.text)]
    return kept, refused
