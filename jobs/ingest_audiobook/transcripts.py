"""Where the clips' texts come from: the book, Whisper, segments that exist already, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from jobs.errors import UserError
from jobs.ingest_audiobook.book import BookReader, ReadingState
from jobs.ingest_audiobook.dataset import StretchRecord
from jobs.ingest_audiobook.given import GivenSegment, given_pieces, read_segments
from jobs.ingest_audiobook.heard import SpeechToText, speech_pieces, transcribed
from jobs.ingest_audiobook.pieces import ClipLimits, Piece, Refusal
from jobs.ingest_audiobook.shape import book_pieces
from jobs.ingest_audiobook.spec import Params, transcript_source
from jobs.ingest_audiobook.stretches import Stretch
from jobs.speech.segments import Span, speech_spans
from jobs.speech.sphinx import Recogniser

MAX_RUN_S = 25.0  # of speech without a pause, matched to the text as one

Pieces: TypeAlias = tuple[list[Piece], list[Refusal], list[Refusal]]
Origin: TypeAlias = Literal["book", "asr", "subtitle"] | None


class Transcript(Protocol):
    """Where the clips' texts come from."""

    origin: Origin
    keep_whole: Sequence[Span]
    n_words: int | None

    def pieces(self, stretch: Stretch, limits: ClipLimits) -> Pieces:
        """What to keep, what to refuse, and the speech, which is refused where neither names it."""
        ...

    def remembered(self) -> dict[str, int]:
        """What the next stretch needs to know: fields of ``StretchRecord``."""
        ...


class BookTranscript:
    """The book's own words, matched to the speech."""

    origin: Origin = "book"
    keep_whole: Sequence[Span] = ()

    def __init__(self, text: str, records: Sequence[StretchRecord]) -> None:
        last = records[-1] if records else None
        state = ReadingState(last.cursor, last.n_lost, last.n_wait) if last else ReadingState()
        self._reader = BookReader(text, Recogniser(), state)
        self.n_words: int | None = len(self._reader.words)
        self.text = text

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

    def remembered(self) -> dict[str, int]:
        """How far the book has been read."""
        state = self._reader.state
        return {"cursor": state.cursor, "n_lost": state.n_lost, "n_wait": state.n_wait}


class HeardTranscript:
    """Whisper's text, or none."""

    keep_whole: Sequence[Span] = ()
    n_words: int | None = None

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

    def remembered(self) -> dict[str, int]:
        """Nothing."""
        return {}


class GivenTranscript:
    """Segments with text that somebody else made."""

    origin: Origin = "subtitle"
    n_words: int | None = None

    def __init__(self, segments: Sequence[GivenSegment]) -> None:
        self.segments = segments
        self.keep_whole: Sequence[Span] = [Span(segment.start_s, segment.end_s) for segment in segments]

    def pieces(self, stretch: Stretch, limits: ClipLimits) -> Pieces:
        """The segments of this stretch, near short ones merged."""
        pieces, refused = given_pieces(
            self.segments, stretch.start_s, stretch.duration_s, stretch.probabilities, limits
        )
        runs = speech_spans(stretch.probabilities, max_span_s=MAX_RUN_S)
        rest = [Refusal(run, "not_in_segments", "speech that no given segment names") for run in runs]
        return pieces, refused, rest

    def remembered(self) -> dict[str, int]:
        """Nothing."""
        return {}


def make_transcript(params: Params, records: Sequence[StretchRecord]) -> Transcript:
    source = transcript_source(params)
    if source == "segments":
        return GivenTranscript(read_segments(Path(params.segments_jsonl or "")))
    if source == "book":
        return BookTranscript(_read_text(Path(params.text or "")), records)
    if source == "none":
        return HeardTranscript(None, None)
    from jobs.whisper.transcribe import Transcriber

    return HeardTranscript(Transcriber(params.whisper_model), params.language)


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            "text_unreadable",
            f"{path} is not UTF-8 text (byte {error.start}).",
            f"Convert it, e.g. iconv -f WINDOWS-1252 -t UTF-8 {path.name}.",
        ) from error
    if not any(character.isalnum() for character in text):
        raise UserError("text_empty", f"{path} holds no words.", "Give the book's text as plain UTF-8.")
    return text
