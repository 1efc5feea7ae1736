"""Sources of the clips' texts: the book, Whisper, given segments with times, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias

from jobs.asr.model_registry import language_code
from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.asr.whisper import Transcriber
from jobs.audio.recording import Samples
from jobs.audio.vad_segments import Span, merged, padded, speech_spans
from jobs.books.text_decoding import BookText
from jobs.ingest_audiobook.cut.clip_candidates import (
    ClipCandidate,
    ClipLimits,
    RejectedSpan,
    joined_span,
    reject_by_length,
)
from jobs.ingest_audiobook.cut.clip_filters import mark_cut_runs
from jobs.ingest_audiobook.cut.sentence_candidates import CutText, sentence_candidates
from jobs.ingest_audiobook.heard_book.matching import written_words
from jobs.ingest_audiobook.heard_book.placement import BookPlacer
from jobs.ingest_audiobook.heard_book.whisper_text import SpeechToText, hear
from jobs.ingest_audiobook.input.source_files import SourceFiles
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk
from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.params import Params, transcript_source
from jobs.ingest_audiobook.text.book_aligner import BookAligner, BookPosition
from jobs.ingest_audiobook.text.segment_clips import segment_candidates
from jobs.ingest_audiobook.text.subtitles import Segment, read_given_segments
from jobs.ingest_audiobook.text.text_readers import read_book_text
from jobs.text.sentences import find_breaks


def speech_candidates(
    probabilities: Samples, duration_s: float, limits: ClipLimits
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Make candidates of speech with an empty text: cut at pauses, padded, merged, of allowed length."""
    spans = padded(speech_spans(probabilities, max_span_s=limits.max_s - 2 * limits.pad_s), duration_s, limits.pad_s)
    groups = merged(spans, target_s=limits.target_s, max_s=limits.max_s, max_gap_s=limits.max_gap_s)
    candidates = [ClipCandidate(joined_span([spans[k] for k in group]), "") for group in groups]
    return reject_by_length(candidates, limits)


OFFLINE_NOTE = (
    "The text was matched by a small recogniser of English that needs no download. Whisper places more of a text and "
    "hears more wrong words: transcript=whisper with whisper_model=base (0.15 GB) or large-v3 (3.1 GB)."
)
MAX_RUN_S = 25.0  # of speech without a pause, matched to the text as one

Origin: TypeAlias = Literal["book", "asr", "subtitle"] | None


class Candidates(NamedTuple):
    """Outcome of a chunk: what to keep, what to reject, and all speech, rejected where neither covers it."""

    kept: list[ClipCandidate]
    rejected: list[RejectedSpan]
    speech: list[RejectedSpan]


class Transcript(Protocol):
    """Source of the clips' texts; ``origin`` is written to the manifest, ``n_words`` is None without a book."""

    origin: Origin
    n_words: int | None
    notes: Sequence[str]

    @property
    def keep_whole(self) -> Sequence[Span]:
        """Spans (seconds) of the current recording that must not be cut."""
        ...

    def find_candidates(self, chunk: SpeechChunk, limits: ClipLimits, usable: Span) -> Candidates:
        """Make clip candidates of a chunk; words outside of ``usable`` (seconds of the chunk) may be cut."""
        ...

    def begin(self, unit: WorkUnit) -> None:
        """Reset the state: the result of a unit must not depend on units before it in the same process."""
        ...


class BookTranscript:
    """The book's own words, aligned with the speech."""

    origin: Origin = "book"
    keep_whole: Sequence[Span] = ()

    def __init__(self, book: BookText) -> None:
        self._aligner = BookAligner(book.text, Recogniser())
        self.notes: Sequence[str] = (*book.notes, OFFLINE_NOTE)
        self.n_words: int | None = len(self._aligner.words)
        self.text = book.text
        self._cut_text = CutText(book.text, self._aligner.words, find_breaks(book.text, "en"))

    def find_candidates(self, chunk: SpeechChunk, limits: ClipLimits, usable: Span) -> Candidates:
        """Make candidates whose every word was found in the speech."""
        runs = speech_spans(chunk.probabilities, max_span_s=MAX_RUN_S)
        placed, rejected = self._aligner.align(chunk.audio_16k, chunk.probabilities, runs)
        kept, by_length = sentence_candidates(
            self._cut_text, mark_cut_runs(placed, usable), runs, chunk.duration_s, limits
        )
        speech = [RejectedSpan(run, "cut_in_speech", "next to words that were kept") for run in runs]
        return Candidates(kept, rejected + by_length, speech)

    def begin(self, unit: WorkUnit) -> None:
        """Start at the book's first word with the first unit; the place of another unit is searched for."""
        self._aligner.position = BookPosition(cursor=0 if unit.index == 0 else None)


class HeardBookTranscript:
    """The book's own words, found in what Whisper heard: in any of the ten languages."""

    origin: Origin = "book"
    keep_whole: Sequence[Span] = ()

    def __init__(self, book: BookText, whisper: Transcriber, language: str) -> None:
        self.text = book.text
        self.notes: Sequence[str] = (*book.notes, f"The text was matched to what Whisper {whisper.model!r} heard.")
        self._whisper = whisper
        self._language = language
        code = language_code(language)
        self.n_words: int | None = len(written_words(book.text, code or "en"))
        self._placers: dict[str, tuple[BookPlacer, CutText]] = {}

    def find_candidates(self, chunk: SpeechChunk, limits: ClipLimits, usable: Span) -> Candidates:
        """Make candidates of the speech whose every word is the book's."""
        heard = hear(chunk.audio_16k, chunk.probabilities, chunk.duration_s, self._whisper, self._language)
        placer, text = self._in_language(heard.language)
        placed, rejected = placer.place(heard, chunk.audio_16k, self._whisper)
        kept, by_length = sentence_candidates(text, mark_cut_runs(placed, usable), heard.runs, chunk.duration_s, limits)
        speech = [RejectedSpan(run, "cut_in_speech", "next to words that were kept") for run in heard.runs]
        return Candidates(kept, [*heard.rejected, *rejected, *by_length], speech)

    def _in_language(self, code: str) -> tuple[BookPlacer, CutText]:
        if code not in self._placers:
            placer = BookPlacer(self.text, code)
            breaks = find_breaks(self.text, code)
            self._placers[code] = placer, CutText(self.text, placer.book.words, breaks, is_spoken_form=False)
        return self._placers[code]

    def begin(self, unit: WorkUnit) -> None:
        """Do nothing: every chunk is searched for in the whole book."""


class RecognisedTranscript:
    """Whisper's text, or no text."""

    keep_whole: Sequence[Span] = ()
    n_words: int | None = None
    notes: Sequence[str] = ()

    def __init__(self, whisper: SpeechToText | None, language: str | None) -> None:
        self.origin: Origin = "asr" if whisper else None
        self._whisper = whisper
        self._language = language

    def find_candidates(self, chunk: SpeechChunk, limits: ClipLimits, usable: Span) -> Candidates:
        """Transcribe speech and cut it at ends of sentences; without Whisper, cut it at pauses."""
        if self._whisper is None:
            return Candidates(*speech_candidates(chunk.probabilities, chunk.duration_s, limits), [])
        heard = hear(chunk.audio_16k, chunk.probabilities, chunk.duration_s, self._whisper, self._language)
        text = CutText(heard.text, heard.words, find_breaks(heard.text, heard.language), is_spoken_form=False)
        kept, by_length = sentence_candidates(
            text, mark_cut_runs(heard.placed, usable), heard.runs, chunk.duration_s, limits
        )
        speech = [RejectedSpan(run, "cut_in_speech", "next to words that were kept") for run in heard.runs]
        return Candidates(kept, [*heard.rejected, *by_length], speech)

    def begin(self, unit: WorkUnit) -> None:
        """Do nothing: there is no state."""


class SegmentTranscript:
    """Given segments of text with times."""

    origin: Origin = "subtitle"
    n_words: int | None = None
    notes: Sequence[str] = ()

    def __init__(self, segments: Sequence[Sequence[Segment]]) -> None:
        self.segments = segments
        self._recording = 0

    @property
    def keep_whole(self) -> Sequence[Span]:
        """The segments of the current recording."""
        return [Span(segment.start_s, segment.end_s) for segment in self.segments[self._recording]]

    def find_candidates(self, chunk: SpeechChunk, limits: ClipLimits, usable: Span) -> Candidates:
        """Make candidates of the segments in the chunk; close short ones are merged."""
        segments = self.segments[self._recording]
        kept, rejected = segment_candidates(segments, chunk.start_s, chunk.duration_s, chunk.probabilities, limits)
        runs = speech_spans(chunk.probabilities, max_span_s=MAX_RUN_S)
        speech = [RejectedSpan(run, "not_in_segments", "speech without a given segment") for run in runs]
        return Candidates(kept, rejected, speech)

    def begin(self, unit: WorkUnit) -> None:
        """Switch to the segments of the unit's recording."""
        self._recording = unit.recording


def make_transcript(params: Params, files: SourceFiles, roots: Sequence[Path] | None = None) -> Transcript:
    """Make the source of texts that the parameters ask for.

    Raises ``UserError``: unreadable text or segments, those of ``read_given_segments``, Whisper's
    ``model_unavailable``.
    """
    source = transcript_source(params)
    if source == "segments":
        return SegmentTranscript(read_given_segments(params, files, roots))
    if source == "book":
        return BookTranscript(read_book_text(Path(params.text or "")))
    if source == "none":
        return RecognisedTranscript(None, None)
    book = read_book_text(Path(params.text or "")) if source == "heard_book" else None
    whisper = Transcriber(
        params.whisper_model,
        params.whisper_device,
        compute_type=params.whisper_compute_type,
        batch_size=params.whisper_batch_size,
    )
    if book is not None:
        return HeardBookTranscript(book, whisper, params.language)
    return RecognisedTranscript(whisper, params.language)
