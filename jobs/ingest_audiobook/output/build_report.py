"""Last stage of an ingest: judge all clips together, hold some out for validation, and write manifest and report."""

import logging
from collections import Counter
from pathlib import Path

from jobs.dataset.corrections.apply import apply_corrections, has_corrections
from jobs.dataset.exchange.exporters import give
from jobs.dataset.manifest import Rejection, Source, write_rows
from jobs.dataset.quality.judging import build_rejection, judge_clips, merge_rejections
from jobs.dataset.quality.thresholds import read_thresholds
from jobs.dataset.rejection_reasons import SILENCE
from jobs.dataset.report.html_report import write_page
from jobs.dataset.report.report_model import About, Report, total_samples
from jobs.dataset.report.totals import make_report, write_report
from jobs.errors import UserError
from jobs.files.atomic_io import write_bytes
from jobs.ingest_audiobook.input.source_files import SourceFiles
from jobs.ingest_audiobook.output.clip_writer import to_seconds
from jobs.ingest_audiobook.output.ingest_state import IngestState
from jobs.ingest_audiobook.output.transcript_writer import TRANSCRIPT, write_transcript
from jobs.ingest_audiobook.params import Params, Result, hears_segments
from jobs.ingest_audiobook.text.file_transcript import FileTranscript
from jobs.ingest_audiobook.text.subtitles import Segment
from jobs.ingest_audiobook.text.text_sources import (
    BookTranscript,
    HeardBookTranscript,
    SegmentTranscript,
    Transcript,
)
from jobs.runner.worker.context import JobContext

logger = logging.getLogger(__name__)


def finish_dataset(
    params: Params, context: JobContext, files: SourceFiles, state: IngestState, transcript: Transcript
) -> Result:
    """Judge the clips, hold some out, and write manifest, rejections and report.

    Raises ``UserError``: ``nothing_kept``.
    """
    dataset, name, info = state.dataset, Path(params.audio).name, files.info
    notes = [*files.notes, *transcript.notes, *_notes(params, files, state)]
    late: list[Rejection] = []
    if isinstance(transcript, SegmentTranscript | FileTranscript) and not _is_selected(params):
        for number, segments in enumerate(transcript.segments):
            end = _find_end(state, number, files.names[number])
            late += [_late(segment, end) for segment in segments if segment.start_s >= end.end_s]
        notes += [f"{len(late)} given segments begin after the recording's end."] if late else []
    notes += [*_notes_on_origin(transcript, state), *_notes_on_times(state)]
    clips = [clip for record in state.finished() for clip in record.clips]
    limits = read_thresholds(params.quality)
    if hears_segments(params) and limits.text_match == "sampled":  # Whisper has compared them
        limits = limits.model_copy(update={"text_match": "off"})
    n_read = sum(record.end_24k - record.start_24k for record in state.finished())
    end_s = to_seconds(n_read)
    judged = judge_clips(
        dataset,
        clips,
        limits,
        validation_share=params.validation_share,
        validation_chapters=params.validation_chapters,
        context=context,
        done=lambda message: context.progress(end_s / 3600, end_s / 3600, message),
    )
    early = [row for record in state.finished() for row in record.rejections]
    rejected = merge_rejections(early, [build_rejection(row, fault) for row, fault in judged.rejected]) + late
    assert total_samples(judged.kept, rejected) == n_read, "samples lost or counted twice"
    about = About(
        name=name,
        voice=params.voice,
        total_s=end_s,
        title=info.title,
        author=info.author,
        transcript=transcript.origin or "none",
        chapter_titles=files.chapter_titles,
        n_words_book=transcript.n_words,
        n_words_placed=None if transcript.n_words is None else sum(record.n_words for record in state.finished()),
        book_text=transcript.text if isinstance(transcript, BookTranscript | HeardBookTranscript) else None,
        notes=notes,
    )
    report = make_report(about, judged, rejected, limits)
    write_rows(dataset / "rejections.jsonl", rejected)
    write_report(dataset, report, f"{name} for the voice {params.voice}; reasons of rejections: rejections.jsonl")
    write_page(dataset, report, judged, limits)
    if write_transcript(state):
        context.publish("transcript", dataset / TRANSCRIPT, "transcript")
    cover = files.recordings[0].cover()
    if cover is not None:
        write_bytes(dataset / f"cover{cover[1]}", cover[0])
    context.publish("report", dataset / "report.html", "report")
    context.publish("rejections", dataset / "rejections.jsonl", "report")
    if not judged.kept:
        raise _nothing_kept(report, dataset)
    write_rows(dataset / "train_manifest.jsonl", judged.kept)
    if has_corrections(dataset):  # of an earlier ingest of this book
        apply_corrections(dataset, Path(params.audio), context)
    context.publish("manifest", dataset / "train_manifest.jsonl", "manifest")
    give(dataset / "train_manifest.jsonl", params.export, context)
    context.publish("dataset", dataset, "dataset")
    logger.info("Kept %.1f of %.1f s in %d clips.", report.kept_s, end_s, report.n_clips)
    return _result(report, dataset, len(info.chapters))


def _notes_on_origin(transcript: Transcript, state: IngestState) -> list[str]:
    if transcript.origin != "book":
        return []
    clips = (clip for record in state.finished() for clip in record.clips)
    found_s = [clip.duration_s or 0.0 for clip in clips if clip.transcript == "asr"]
    if not found_s:
        return []
    return [f"{len(found_s)} clips ({sum(found_s):.0f} s) have Whisper's words: the text lacks them."]


def _notes_on_times(state: IngestState) -> list[str]:
    """Return by how much given segments were late, where they were moved together."""
    late = [each for record in state.finished() for each in record.late]
    if not late:
        return []
    least, most = min(late_s for late_s, _ in late), max(late_s for late_s, _ in late)
    by = f"{least:+.2f} s" if most - least < 0.01 else f"{least:+.2f} to {most:+.2f} s"
    return [f"The times of {sum(n for _, n in late)} given segments were moved: they were late by {by}."]


def _is_selected(params: Params) -> bool:
    return bool(params.chapters) or any((params.start_s, params.end_s, params.max_duration_s))


def _find_end(state: IngestState, recording: int, name: str) -> Source:
    """Return the end of the audio that was read of a recording, with its chapter."""
    end = Source(recording=name, start_s=0.0, end_s=0.0)
    for record in state.finished():
        if record.recording == recording and record.end_24k > record.start_24k:
            end_s = to_seconds(record.end_24k)
            end = Source(recording=name, chapter=record.chapter, start_s=end_s, end_s=end_s)
    return end


def _late(segment: Segment, end: Source) -> Rejection:
    detail = f"line {segment.line}: {segment.start_s}-{segment.end_s} s"
    return Rejection(source=end, reason="segment_beyond_end", detail=detail, text=segment.text)


def _notes(params: Params, files: SourceFiles, state: IngestState) -> list[str]:
    n_read: Counter[int] = Counter()
    for record in state.finished():
        n_read[record.recording] += record.end_24k - record.start_24k
    if _is_selected(params):
        return [f"Only a part was selected: {to_seconds(n_read.total()):.0f} s were read."]
    return [
        f"The container of {name!r} states {stated_s:.0f} s but holds {read_s:.0f} s: it may be cut off."
        for number, (recording, name) in enumerate(zip(files.recordings, files.names, strict=True))
        if (stated_s := recording.info.duration_s) and (read_s := to_seconds(n_read[number])) < 0.98 * stated_s
    ]


def _result(report: Report, dataset: Path, n_chapters: int) -> Result:
    return Result(
        dataset=str(dataset),
        manifest=str(dataset / "train_manifest.jsonl"),
        n_clips=report.n_clips,
        n_rejected=report.n_rejected,
        n_silences=sum(reason.n for reason in report.reasons if reason.reason == SILENCE),
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
        "text of this book and edition, in the given language? Much silence: is there speech? Without a text: "
        "transcript=whisper.",
    )
