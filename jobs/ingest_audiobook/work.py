"""An audiobook becomes a dataset, unit by unit; a killed job goes on with the units that are not made yet."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.dataset.exchange.given import give
from jobs.dataset.finish import judge_clips, merged, rejection_of
from jobs.dataset.page import write_page
from jobs.dataset.report import About, Report, make_report, total_samples, write_report
from jobs.dataset.thresholds import read_thresholds
from jobs.errors import UserError
from jobs.ingest_audiobook.crew import lanes, made_by_hands, made_here
from jobs.ingest_audiobook.dataset import IngestState, UnitRecord, fingerprint, seconds
from jobs.ingest_audiobook.given import GivenSegment, beyond_end
from jobs.ingest_audiobook.inputs import Book, check_chapters, open_book, selected_units
from jobs.ingest_audiobook.making import Event, Heard, empty_record
from jobs.ingest_audiobook.spec import Params, Result, transcript_source
from jobs.ingest_audiobook.stretches import to_24k
from jobs.ingest_audiobook.transcripts import BookTranscript, GivenTranscript, Transcript, make_transcript
from jobs.ingest_audiobook.units import Unit, length_s
from jobs.runner.context import JobContext
from jobs.speech.manifest import Rejection, Source, write_rows
from jobs.speech.recording import empty

logger = logging.getLogger(__name__)

ALONE_S = 600.0  # of audio; less is done sooner than other processes have started


def run(params: Params, context: JobContext) -> Result:
    """Make the dataset. See ``jobs.ingest_audiobook.spec``.

    Raises:
        UserError: unreadable audio, text or segments, ``dataset_differs``, ``chapter_unknown``, ``nothing_kept``,
            and Whisper's ``model_unavailable``.
    """
    audio = Path(params.audio)
    book = open_book(audio, context.settings.roots if audio.is_dir() else None)
    check_chapters(params.validation_chapters, book)
    units = selected_units(book, params)
    transcript = make_transcript(params)
    dataset = Path(params.out_dir) if params.out_dir else context.folder / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)
    paths = [recording.path for recording in book.recordings]
    state = IngestState(dataset, fingerprint(params, paths, book.names))
    state.clean()
    progress = _Progress(context, book, units, state)
    logger.info("Ingesting %r: %d of %d units are left, transcript: %s.",
                audio.name, len(units) - progress.n_taken, len(units), transcript.origin)  # fmt: skip
    context.raise_if_cancelled()
    progress.take_over()
    for event in _made(params, book, units, transcript, state, progress):
        progress.note(event)
        context.raise_if_cancelled()
    if not progress.done_s:
        raise empty(audio)
    state.clean(all_of_it=True)
    return _finish(params, context, dataset, book, state.finished(), transcript)


def _made(
    params: Params, book: Book, units: Sequence[Unit], transcript: Transcript, state: IngestState, progress: _Progress
) -> Iterator[Event]:
    left = [unit for unit in units if not progress.needs_nothing(unit)]
    wanted = lanes(left, book)
    n_hands = min(params.workers or len(os.sched_getaffinity(0)), len(wanted))
    is_short = params.workers == 0 and progress.total_s - progress.done_s < ALONE_S
    if n_hands <= 1 or is_short or transcript_source(params) == "whisper":  # which has threads, or the GPU
        return made_here(wanted, book, params, transcript, state.staged, progress.needs_nothing)
    logger.info("%d processes share the work.", n_hands)
    return made_by_hands(wanted, params, state.staged, n_hands, progress.needs_nothing)


class _Progress:
    """Takes units over in their order, as soon as all before them are made, and tells how far the work is."""

    def __init__(self, context: JobContext, book: Book, units: Sequence[Unit], state: IngestState) -> None:
        self._context, self._book, self._units, self._state = context, book, units, state
        self._ended: set[int] = set()  # recordings whose end has been heard
        self._heard_s: dict[int, float] = {}  # of units that are not taken over
        self.n_taken = self._n_clips = 0
        self.done_s = self._kept_s = 0.0
        for record in state.finished():
            self._count(record)

    @property
    def total_s(self) -> float:
        """Seconds that the containers promise of what was selected."""
        return sum(length_s(unit, self._book.recordings[unit.recording].info) for unit in self._units)

    def needs_nothing(self, unit: Unit) -> bool:
        """True for a unit that is made, or lies behind its recording's end."""
        is_behind = unit.index >= self.n_taken and unit.recording in self._ended
        return unit.index < self.n_taken or is_behind or self._state.is_staged(unit.index)

    def note(self, event: Event) -> None:
        """Take over what can be, and tell."""
        if isinstance(event, Heard):
            self._heard_s[event.unit] = self._heard_s.get(event.unit, 0.0) + event.heard_s
            self._tell()
        else:
            self.take_over()

    def take_over(self) -> None:
        """Number the clips of all units whose turn it is."""
        while self.n_taken < len(self._units):
            unit = self._units[self.n_taken]
            if self._state.is_staged(unit.index):
                record = self._state.take_over(unit.index, self._n_clips)
            elif unit.recording in self._ended:
                rate = self._book.recordings[unit.recording].info.sample_rate_hz
                record = empty_record(unit, to_24k(unit.start, rate)).model_copy(update={"is_recording_end": True})
                self._state.add(record)
            else:
                return
            self._count(record)
            if record.end_24k > record.start_24k:
                self._tell()

    def _count(self, record: UnitRecord) -> None:
        self.n_taken += 1
        self._heard_s.pop(record.index, None)
        self._n_clips += len(record.clips)
        self.done_s += (record.end_24k - record.start_24k) / 24_000
        self._kept_s += sum(clip.duration_s or 0.0 for clip in record.clips)
        if record.is_recording_end:
            self._ended.add(record.recording)

    def _tell(self) -> None:
        done_s = self.done_s + sum(self._heard_s.values())
        total_s = self.total_s
        if self._units and self.n_taken == len(self._units):
            total_s = done_s
        self._context.progress(
            round(done_s / 3600, 6),
            round(max(total_s, done_s) / 3600, 6) if total_s else None,
            f"{self._n_clips} clips of "
            + (f"{self.done_s / 60:.1f} minutes" if self.done_s < 3600 else f"{self.done_s / 3600:.2f} hours"),
            kept_s=self._kept_s,
            rejected_s=self.done_s - self._kept_s,
        )


def _finish(
    params: Params,
    context: JobContext,
    dataset: Path,
    book: Book,
    records: Sequence[UnitRecord],
    transcript: Transcript,
) -> Result:
    name, info = Path(params.audio).name, book.info
    notes = [*book.notes, *transcript.notes, *_notes(params, book, records)]
    late: list[Rejection] = []
    if isinstance(transcript, GivenTranscript) and not _is_selected(params):
        last_s, chapter = _end(records)
        late = [_late(segment, last_s, chapter, name) for segment in beyond_end(transcript.segments, last_s)]
        notes += [f"{len(late)} given segments begin after the recording's end."] if late else []
    clips = [clip for record in records for clip in record.clips]
    limits = read_thresholds(params.quality)
    n_read = sum(record.end_24k - record.start_24k for record in records)
    end_s = seconds(n_read)
    judged = judge_clips(
        dataset,
        clips,
        limits,
        validation_share=params.validation_share,
        validation_chapters=params.validation_chapters,
        context=context,
        done=lambda message: context.progress(end_s / 3600, end_s / 3600, message),
    )
    early = [row for record in records for row in record.rejections]
    rejected = merged(early, [rejection_of(row, fault) for row, fault in judged.rejected]) + late
    assert total_samples(judged.kept, rejected) == n_read, "samples lost or counted twice"
    about = About(
        name=name,
        voice=params.voice,
        total_s=end_s,
        title=info.title,
        author=info.author,
        transcript=transcript.origin or "none",
        chapter_titles=book.chapter_titles,
        n_words_book=transcript.n_words,
        n_words_placed=None if transcript.n_words is None else sum(record.n_words for record in records),
        book_text=transcript.text if isinstance(transcript, BookTranscript) else None,
        notes=notes,
    )
    report = make_report(about, judged, rejected, limits)
    write_rows(dataset / "rejections.jsonl", rejected)
    write_report(dataset, report, f"{name} for the voice {params.voice}; why stretches failed is in rejections.jsonl")
    write_page(dataset, report, judged, limits)
    cover = book.recordings[0].cover()
    if cover is not None:
        (dataset / f"cover{cover[1]}").write_bytes(cover[0])
    context.publish("report", dataset / "report.html", "report")
    context.publish("rejections", dataset / "rejections.jsonl", "report")
    if not judged.kept:
        raise _nothing_kept(report, dataset)
    write_rows(dataset / "train_manifest.jsonl", judged.kept)
    context.publish("manifest", dataset / "train_manifest.jsonl", "manifest")
    give(dataset / "train_manifest.jsonl", params.export, context)
    context.publish("dataset", dataset, "dataset")
    logger.info("Kept %.1f of %.1f s in %d clips.", report.kept_s, end_s, report.n_clips)
    return _result(report, dataset, len(info.chapters))


def _is_selected(params: Params) -> bool:
    return bool(params.chapters) or any((params.start_s, params.end_s, params.max_duration_s))


def _end(records: Sequence[UnitRecord]) -> tuple[float, int | None]:
    """Where the last sound ends, and in which chapter."""
    found: tuple[float, int | None] = (0.0, None)
    for record in records:
        if record.end_24k > record.start_24k:
            found = (seconds(record.end_24k), record.chapter)
    return found


def _late(segment: GivenSegment, end_s: float, chapter: int | None, name: str) -> Rejection:
    return Rejection(
        source=Source(recording=name, chapter=chapter, start_s=end_s, end_s=end_s),
        reason="segment_beyond_end",
        detail=f"line {segment.line}: {segment.start_s}-{segment.end_s} s",
        text=segment.text,
    )


def _notes(params: Params, book: Book, records: Sequence[UnitRecord]) -> list[str]:
    read_s: Counter[int] = Counter()
    for record in records:
        read_s[record.recording] += record.end_24k - record.start_24k
    if _is_selected(params):
        return [f"A part: {seconds(read_s.total()):.0f} s were selected and read."]
    notes = []
    for number, (recording, name) in enumerate(zip(book.recordings, book.names, strict=True)):
        promised_s = recording.info.duration_s
        if promised_s and seconds(read_s[number]) < 0.98 * promised_s:
            notes.append(
                f"The container of {name!r} promises {promised_s:.0f} s but holds {seconds(read_s[number]):.0f} s: "
                "it may be cut off."
            )
    return notes


def _result(report: Report, dataset: Path, n_chapters: int) -> Result:
    return Result(
        dataset=str(dataset),
        manifest=str(dataset / "train_manifest.jsonl"),
        n_clips=report.n_clips,
        n_rejected=report.n_rejected,
        recording_s=report.total_s or 0.0,
        kept_s=report.kept_s,
        rejected_s=report.rejected_s,
        rejected_by_reason_s=report.reasons_s,
        n_words_placed=report.n_words_placed,
        n_words_book=report.n_words_book,
        title=report.title,
        n_chapters=n_chapters,
        n_validation=report.n_validation,
        report=str(dataset / "report.html"),
        summary=report.summary,
    )


def _nothing_kept(report: Report, dataset: Path) -> UserError:
    reasons = ", ".join(f"{reason} {length:.0f} s" for reason, length in report.reasons_s.items())
    return UserError(
        "nothing_kept",
        f"No clip of {report.name} ({report.total_s:.0f} s) could be kept: {reasons}.",
        f"Read {dataset / 'report.html'} and rejections.jsonl there. Much not_in_text or words_differ: is this the "
        "text of this book and edition? Much silence: is there speech? Without a text: transcript=whisper.",
    )
