"""Where the clips' texts come from: the book, Whisper, segments that exist already, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.audio.vad_segments import Span, speech_spans
from jobs.ingest_audiobook.cut.clip_bounds import book_pieces
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits, Piece, Refusal
from jobs.ingest_audiobook.cut.vad_clips import SpeechToText, speech_pieces, transcribed
from jobs.ingest_audiobook.input.source_files import Book, check_link
from jobs.ingest_audiobook.input.speech_chunks import Stretch
from jobs.ingest_audiobook.input.work_units import Unit
from jobs.ingest_audiobook.params import Params, transcript_source
from jobs.ingest_audiobook.text.book_aligner import BookReader, ReadingState
from jobs.ingest_audiobook.text.subtitles import (
    GivenSegment,
    given_pieces,
    read_segments,
    read_subtitles,
    segment_files,
)
from jobs.ingest_audiobook.text.text_readers import BookText, read_book_text, refuse_unreadable_script

MAX_RUN_S = 25.0  # of speech without a pause, matched to the text as one

Pieces: TypeAlias = tuple[list[Piece], list[Refusal], list[Refusal]]
Origin: TypeAlias = Literal["book", "asr", "subtitle"] | None


class Transcript(Protocol):
    """Where the clips' texts come from."""

    origin: Origin
    n_words: int | None
    notes: Sequence[str]

    @property
    def keep_whole(self) -> Sequence[Span]:
        """Spans (seconds) of the recording that is read that must not be cut."""
        ...

    def pieces(self, stretch: Stretch, limits: ClipLimits) -> Pieces:
        """What to keep, what to refuse, and the speech, which is refused where neither names it."""
        ...

    def begin(self, unit: Unit) -> None:
        """Forget what was heard before: a unit's result is its own, whoever makes it and after what."""
        ...


class BookTranscript:
    """The book's own words, matched to the speech."""

    origin: Origin = "book"
    keep_whole: Sequence[Span] = ()

    def __init__(self, book: BookText) -> None:
        self._reader = BookReader(book.text, Recogniser())
        self.notes: Sequence[str] = book.notes
        self.n_words: int | None = len(self._reader.words)
        self.text = book.text

    def pieces(self, stretch: Stretch, limits: ClipLimits) -> Pieces:
        """Pieces whose every word was found in the speech."""
        runs = speech_spans(stretch.probabilities, max_span_s=MAX_RUN_S)
        placed, refused = self._reader.read(stretch.audio_16k, stretch.probabilities, runs)
        reader = self._reader
        pieces, by_length = book_pieces(reader.text, reader.words, placed, runs, stretch.duration_s, limits)
        return (
            pieces,
            refused + by_length,
            [Refusal(run, "cut_in_speech", "beside words that were kept") for run in runs],
        )

    def begin(self, unit: Unit) -> None:
        """The book begins with the first unit; where another one is, is heard."""
        self._reader.state = ReadingState(cursor=0 if unit.index == 0 else None)


class HeardTranscript:
    """Whisper's text, or none."""

    keep_whole: Sequence[Span] = ()
    n_words: int | None = None
    notes: Sequence[str] = ()

    def __init__(self, whisper: SpeechToText | None, language: str | None) -> None:
        self.origin: Origin = "asr" if whisper else None
        self._whisper = whisper
        self._language = language

    def pieces(self, stretch: Stretch, limits: ClipLimits) -> Pieces:
        """Speech cut at pauses, with Whisper's text where there is a Whisper."""
        pieces, refused = speech_pieces(stretch.probabilities, stretch.duration_s, limits)
        if self._whisper is not None:
            pieces, doubtful = transcribed(pieces, stretch.audio_16k, self._whisper, self._language)
            refused += doubtful
        return pieces, refused, []

    def begin(self, unit: Unit) -> None:
        """Nothing is remembered."""


class GivenTranscript:
    """Segments with text that somebody else made.

    Args:
        segments: of each recording.
    """

    origin: Origin = "subtitle"
    n_words: int | None = None
    notes: Sequence[str] = ()

    def __init__(self, segments: Sequence[Sequence[GivenSegment]]) -> None:
        self.segments = segments
        self._recording = 0

    @property
    def keep_whole(self) -> Sequence[Span]:
        """The segments of the recording that is read."""
        return [Span(segment.start_s, segment.end_s) for segment in self.segments[self._recording]]

    def pieces(self, stretch: Stretch, limits: ClipLimits) -> Pieces:
        """The segments of this stretch, near short ones merged."""
        pieces, refused = given_pieces(
            self.segments[self._recording], stretch.start_s, stretch.duration_s, stretch.probabilities, limits
        )
        runs = speech_spans(stretch.probabilities, max_span_s=MAX_RUN_S)
        rest = [Refusal(run, "not_in_segments", "speech that no given segment names") for run in runs]
        return pieces, refused, rest

    def begin(self, unit: Unit) -> None:
        """Its recording's segments count."""
        self._recording = unit.recording


def make_transcript(params: Params, book: Book, roots: Sequence[Path] | None = None) -> Transcript:
    """The source of texts that the parameters ask for.

    Args:
        params: of the job.
        book: the recordings.
        roots: where links in a folder of segments may lead; None: anywhere.

    Raises:
        UserError: unreadable text or segments, those of ``given_segments``, Whisper's ``model_unavailable``.
    """
    source = transcript_source(params)
    if source == "segments":
        return GivenTranscript(given_segments(params, book, roots))
    if source == "book":
        return BookTranscript(read_book_text(Path(params.text or "")))
    if source == "none":
        return HeardTranscript(None, None)
    from jobs.asr.whisper import Transcriber

    whisper = Transcriber(
        params.whisper_model,
        params.whisper_device,
        compute_type=params.whisper_compute_type,
        batch_size=params.whisper_batch_size,
    )
    return HeardTranscript(whisper, params.language)


def given_segments(params: Params, book: Book, roots: Sequence[Path] | None = None) -> list[list[GivenSegment]]:
    """The segments that the parameters name, of each recording.

    Raises:
        UserError: ``segments_unreadable``, ``segments_empty``, ``segments_missing``, ``text_right_to_left``,
            ``path_outside_roots``.
    """
    read = read_segments if params.segments_jsonl else read_subtitles
    folder = Path(params.segments_jsonl or params.text or "")
    found = []
    for path in segment_files(params, book.names):
        if path != folder:
            check_link(path, folder, roots)  # not its parent, which may be the link
        segments = read(path)
        refuse_unreadable_script(" ".join(segment.text for segment in segments[:5000]), path)
        found.append(segments)
    return found
