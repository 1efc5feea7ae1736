"""Sources of the clips' texts: the book, Whisper, given segments with times, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from jobs.asr.model_registry import language_code
from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.asr.whisper import Transcriber
from jobs.audio.recording import Samples
from jobs.audio.vad_segments import Span, merged, padded, speech_spans
from jobs.books.text_decoding import BookText
from jobs.ingest_audiobook.cut.clip_candidates import (
    Candidates,
    ClipCandidate,
    ClipLimits,
    Origin,
    PlacedRun,
    RejectedSpan,
    SaidSentence,
    joined_span,
    reject_by_length,
)
from jobs.ingest_audiobook.cut.clip_filters import mark_cut_runs
from jobs.ingest_audiobook.cut.sentence_candidates import CutText, sentence_candidates
from jobs.ingest_audiobook.heard_book.matching import written_words
from jobs.ingest_audiobook.heard_book.placement import BookPlacer
from jobs.ingest_audiobook.heard_book.second_hearing import hear_again
from jobs.ingest_audiobook.heard_book.whisper_text import (
    MIN_WINDOW_S,
    MIN_WINDOW_WITH_BOOK_S,
    HeardText,
    SpeechToText,
    hear,
)
from jobs.ingest_audiobook.input.source_files import SourceFiles
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk
from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.params import Params, hears_segments, transcript_source
from jobs.ingest_audiobook.text.book_aligner import BookAligner, BookPosition
from jobs.ingest_audiobook.text.file_transcript import FileTranscript
from jobs.ingest_audiobook.text.heard_segments import SegmentChecker
from jobs.ingest_audiobook.text.segment_clips import place_segments, segment_candidates
from jobs.ingest_audiobook.text.subtitles import Segment, read_given_segments
from jobs.ingest_audiobook.text.text_readers import read_book_of
from jobs.ingest_audiobook.text.transcript_rows import read_transcript
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
UNCHECKED_NOTE = (
    "Given texts in other languages than English are compared with the speech by Whisper only: give whisper_model=base "
    "(0.15 GB) or another one."
)
MAX_RUN_S = 25.0  # of speech without a pause, matched to the text as one
MIN_BORDER_S = 0.8  # between words of the book and of Whisper's: its times are off by some tenths of a second


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
        found = sentence_candidates(self._cut_text, mark_cut_runs(placed, usable), runs, chunk.duration_s, limits)
        return found._replace(rejected=rejected + found.rejected)

    def begin(self, unit: WorkUnit) -> None:
        """Start at the book's first word with the first unit; the place of another unit is searched for."""
        self._aligner.position = BookPosition(cursor=0 if unit.index == 0 else None)


class HeardBookTranscript:
    """The book's own words, found in what Whisper heard: in any of the ten languages."""

    origin: Origin = "book"
    keep_whole: Sequence[Span] = ()

    def __init__(self, book: BookText, whisper: Transcriber, language: str, *, keeps_other_speech: bool) -> None:
        """Use a book; ``keeps_other_speech``: where the narrator leaves it, the words are Whisper's."""
        self.text = book.text
        self._keeps_other_speech = keeps_other_speech
        self.notes: Sequence[str] = (*book.notes, f"The text was matched to what Whisper {whisper.model!r} heard.")
        self._whisper = whisper
        self._language = language
        code = language_code(language)
        self.n_words: int | None = len(written_words(book.text, code or "en"))
        self._placers: dict[str, tuple[BookPlacer, CutText]] = {}

    def find_candidates(self, chunk: SpeechChunk, limits: ClipLimits, usable: Span) -> Candidates:
        """Make candidates of the speech whose every word is the book's."""
        heard = _hear(chunk, self._whisper, self._language, has_book=True)
        placer, text = self._in_language(heard.language)
        placed, rejected = placer.place(heard, chunk.audio_16k, self._whisper)
        placed, rejected = hear_again(heard, placed, rejected, chunk.audio_16k, placer, self._whisper)
        found = sentence_candidates(text, mark_cut_runs(placed, usable), heard.runs, chunk.duration_s, limits)
        if self._keeps_other_speech:
            other = _speech_outside(heard.placed, placed, rejected)
            left = {run.span for run in other}
            rejected = [one for one in rejected if one.span not in left]
            more = sentence_candidates(
                _text_of(heard), mark_cut_runs(other, usable), heard.runs, chunk.duration_s, limits
            )
            found = Candidates(
                found.kept + more.kept,
                found.rejected + more.rejected,
                found.speech,
                sorted(found.sentences + more.sentences, key=lambda sentence: sentence.start_s),
            )
        return found._replace(rejected=[*heard.rejected, *rejected, *found.rejected])

    def _in_language(self, code: str) -> tuple[BookPlacer, CutText]:
        if code not in self._placers:
            placer = BookPlacer(self.text, code)
            breaks = find_breaks(self.text, code)
            self._placers[code] = placer, CutText(self.text, placer.book.words, breaks, is_spoken_form=False)
        return self._placers[code]

    def begin(self, unit: WorkUnit) -> None:
        """Do nothing: every chunk is searched for in the whole book."""


def _speech_outside(
    heard: Sequence[PlacedRun], placed: Sequence[PlacedRun], rejected: Sequence[RejectedSpan]
) -> list[PlacedRun]:
    """Return the runs that the text lacks, but those so near to its words that a word may belong to either."""
    outside = {one.span for one in rejected if one.reason == "not_in_text"}
    return [
        run
        for run in heard
        if run.span in outside
        and all(
            max(run.span.start_s - other.span.end_s, other.span.start_s - run.span.end_s) >= MIN_BORDER_S
            for other in placed
        )
    ]


def _text_of(heard: HeardText) -> CutText:
    breaks = find_breaks(heard.text, heard.language)
    return CutText(heard.text, heard.words, breaks, origin="asr", is_spoken_form=False)


def _hear(chunk: SpeechChunk, whisper: SpeechToText, language: str | None, *, has_book: bool) -> HeardText:
    window_s = MIN_WINDOW_WITH_BOOK_S if has_book else MIN_WINDOW_S
    speech = (chunk.audio_16k, chunk.probabilities, chunk.duration_s)
    return hear(*speech, whisper, language, window_s, checks_language=not has_book)


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
            return Candidates(*speech_candidates(chunk.probabilities, chunk.duration_s, limits), [], [])
        heard = _hear(chunk, self._whisper, self._language, has_book=False)
        placed = mark_cut_runs(heard.placed, usable)
        found = sentence_candidates(_text_of(heard), placed, heard.runs, chunk.duration_s, limits)
        return found._replace(rejected=[*heard.rejected, *found.rejected])

    def begin(self, unit: WorkUnit) -> None:
        """Do nothing: there is no state."""


class SegmentTranscript:
    """Given segments of text with times."""

    origin: Origin = "subtitle"
    n_words: int | None = None

    def __init__(
        self, segments: Sequence[Sequence[Segment]], checker: SegmentChecker | None = None, note: str = ""
    ) -> None:
        self.segments = segments
        self.notes: Sequence[str] = (note,) if note else ()
        self._checker = checker
        self._recording = 0

    @property
    def keep_whole(self) -> Sequence[Span]:
        """The segments of the current recording."""
        return [Span(segment.start_s, segment.end_s) for segment in self.segments[self._recording]]

    def find_candidates(self, chunk: SpeechChunk, limits: ClipLimits, usable: Span) -> Candidates:
        """Make candidates of the segments in the chunk, with borders in pauses; close short ones are merged."""
        segments = self.segments[self._recording]
        placed = place_segments(segments, chunk.start_s, chunk.duration_s, chunk.probabilities)
        if self._checker is not None:
            placed = self._checker.check(placed, chunk)
        kept, rejected = segment_candidates(placed, chunk.duration_s, limits)
        runs = speech_spans(chunk.probabilities, max_span_s=MAX_RUN_S)
        speech = [RejectedSpan(run, "not_in_segments", "speech without a given segment") for run in runs]
        sentences = [
            SaidSentence(one.segment.text, (), self.origin, one.span.start_s, one.span.end_s) for one in placed
        ]
        late = (placed[0].late_s, len(placed)) if placed and placed[0].late_s else None
        return Candidates(kept, rejected, speech, sentences, late)

    def begin(self, unit: WorkUnit) -> None:
        """Switch to the segments of the unit's recording."""
        self._recording = unit.recording


def make_transcript(params: Params, files: SourceFiles, roots: Sequence[Path] | None = None) -> Transcript:
    """Make the source of texts that the parameters ask for.

    Raises ``UserError``: unreadable text or segments, those of ``read_given_segments``, Whisper's
    ``model_unavailable``.
    """
    source = transcript_source(params)
    if source == "file":
        return FileTranscript(read_transcript(Path(params.transcript_file or ""), files.names), params.language)
    if source == "segments":
        return _segment_transcript(params, read_given_segments(params, files, roots))
    if source == "book":
        return BookTranscript(read_book_of(params.text, params.language))
    if source == "none":
        return RecognisedTranscript(None, None)
    book = read_book_of(params.text, params.language) if source == "heard_book" else None
    whisper = _whisper(params)
    if book is not None:
        keeps_other_speech = params.outside_text == "asr"
        return HeardBookTranscript(book, whisper, params.language, keeps_other_speech=keeps_other_speech)
    return RecognisedTranscript(whisper, params.language)


def _segment_transcript(params: Params, segments: Sequence[Sequence[Segment]]) -> SegmentTranscript:
    if hears_segments(params):
        note = f"The given texts were compared with what Whisper {params.whisper_model!r} heard."
        return SegmentTranscript(segments, SegmentChecker(_whisper(params), params.language), note)
    return SegmentTranscript(segments, note="" if params.language == "english" else UNCHECKED_NOTE)


def _whisper(params: Params) -> Transcriber:
    return Transcriber(
        params.whisper_model,
        params.whisper_device,
        compute_type=params.whisper_compute_type,
        batch_size=params.whisper_batch_size,
    )
