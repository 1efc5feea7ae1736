"""An audiobook becomes a dataset, stretch by stretch; a killed job goes on with the stretch it was at."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from jobs.dataset.finish import judge_clips, merged, rejection_of
from jobs.dataset.page import write_page
from jobs.dataset.report import About, Report, make_report, total_samples, write_report
from jobs.dataset.thresholds import read_thresholds
from jobs.errors import UserError
from jobs.ingest_audiobook.dataset import (
    IngestState,
    StretchRecord,
    fingerprint,
    rejections,
    seconds,
    tiled,
    write_stretch_clips,
)
from jobs.ingest_audiobook.given import GivenSegment, beyond_end
from jobs.ingest_audiobook.pieces import ClipLimits
from jobs.ingest_audiobook.spec import Params, Result
from jobs.ingest_audiobook.stretches import Place, Stretch, stretches
from jobs.ingest_audiobook.transcripts import BookTranscript, GivenTranscript, Transcript, make_transcript
from jobs.runner.context import JobContext
from jobs.speech.audio import RecordingInfo, probe, read_cover
from jobs.speech.manifest import Clip, Rejection, Source, write_rows

logger = logging.getLogger(__name__)


def run(params: Params, context: JobContext) -> Result:
    """Make the dataset. See ``jobs.ingest_audiobook.spec``.

    Raises:
        UserError: unreadable audio, text or segments, ``dataset_differs``, ``chapter_unknown``, ``nothing_kept``,
            and Whisper's ``model_unavailable``.
    """
    audio = Path(params.audio)
    info = probe(audio)
    _check_chapters(params, info)
    dataset = Path(params.out_dir) if params.out_dir else context.folder / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)
    state = IngestState(dataset, fingerprint(params))
    records = state.finished()
    transcript = make_transcript(params, records)
    start = Place(len(records), records[-1].end_sample if records else 0)
    total_s = min(info.duration_s or float("inf"), params.max_duration_s or float("inf"))
    logger.info("Ingesting %s from stretch %d, transcript: %s.", audio.name, start.index, transcript.origin)
    context.raise_if_cancelled()
    for stretch in stretches(audio, info, start, limit_s=params.max_duration_s, keep_whole=transcript.keep_whole):
        record = _ingest(stretch, params, transcript, dataset, sum(len(done.clips) for done in records))
        state.add(record)
        records.append(record)
        done_s = seconds(record.end_24k)
        kept_s = sum(clip.duration_s or 0.0 for done in records for clip in done.clips)
        context.progress(
            done_s,
            max(total_s, done_s) if total_s < float("inf") else None,
            f"{sum(len(done.clips) for done in records)} clips of {done_s / 60:.1f} minutes",
            kept_s=kept_s,
            rejected_s=done_s - kept_s,
        )
        context.raise_if_cancelled()
    return _finish(params, context, dataset, info, records, transcript)


def _ingest(stretch: Stretch, params: Params, transcript: Transcript, dataset: Path, n_clips: int) -> StretchRecord:
    """Cut one stretch into clips, write them, and say what came of every sample."""
    limits = ClipLimits(params.min_clip_s, params.target_clip_s, params.max_clip_s, params.max_gap_s)
    pieces, refused, rest = transcript.pieces(stretch, limits)
    kept, rejected = tiled(pieces, refused, rest, len(stretch.audio_24k))
    name = Path(params.audio).name
    common = Clip(
        audio="",
        text="",
        speaker=params.voice,
        language=params.language,
        transcript=transcript.origin,
    )
    return StretchRecord(
        index=stretch.index,
        chapter=stretch.chapter,
        end_sample=stretch.end_sample,
        start_24k=stretch.start_24k,
        end_24k=stretch.start_24k + len(stretch.audio_24k),
        clips=write_stretch_clips(dataset, stretch, kept, n_clips, common, name),
        rejections=rejections(stretch, rejected, name),
        n_words=sum(piece.n_words for _, _, piece in kept),
        **transcript.remembered(),
    )


def _finish(
    params: Params,
    context: JobContext,
    dataset: Path,
    info: RecordingInfo,
    records: Sequence[StretchRecord],
    transcript: Transcript,
) -> Result:
    name = Path(params.audio).name
    notes = _notes(params, info, records)
    late: list[Rejection] = []
    if isinstance(transcript, GivenTranscript) and params.max_duration_s is None:
        late = [_late(segment, records, name) for segment in beyond_end(transcript.segments, _end_s(records))]
        notes += [f"{len(late)} given segments begin after the recording's end."] if late else []
    clips = [clip for record in records for clip in record.clips]
    limits = read_thresholds(params.quality)
    end_s = _end_s(records)
    judged = judge_clips(
        dataset,
        clips,
        limits,
        validation_share=params.validation_share,
        validation_chapters=params.validation_chapters,
        context=context,
        done=lambda message: context.progress(end_s, end_s, message),
    )
    early = [row for record in records for row in record.rejections]
    rejected = merged(early, [rejection_of(row, fault) for row, fault in judged.rejected]) + late
    assert total_samples(judged.kept, rejected) == records[-1].end_24k, "samples lost or counted twice"
    about = About(
        name=name,
        voice=params.voice,
        total_s=end_s,
        title=info.title,
        author=info.author,
        transcript=transcript.origin or "none",
        chapter_titles={(name, number): chapter.title for number, chapter in enumerate(info.chapters, 1)},
        n_words_book=transcript.n_words,
        n_words_placed=None if transcript.n_words is None else sum(record.n_words for record in records),
        book_text=transcript.text if isinstance(transcript, BookTranscript) else None,
        notes=notes,
    )
    report = make_report(about, judged, rejected, limits)
    write_rows(dataset / "rejections.jsonl", rejected)
    write_report(dataset, report, f"{name} for the voice {params.voice}; why stretches failed is in rejections.jsonl")
    write_page(dataset, report, judged, limits)
    cover = read_cover(Path(params.audio))
    if cover is not None:
        (dataset / f"cover{cover[1]}").write_bytes(cover[0])
    context.publish("report", dataset / "report.html", "report")
    context.publish("rejections", dataset / "rejections.jsonl", "report")
    if not judged.kept:
        raise _nothing_kept(report, dataset)
    write_rows(dataset / "train_manifest.jsonl", judged.kept)
    context.publish("manifest", dataset / "train_manifest.jsonl", "manifest")
    context.publish("dataset", dataset, "dataset")
    logger.info("Kept %.1f of %.1f s in %d clips.", report.kept_s, end_s, report.n_clips)
    return _result(report, dataset, len(info.chapters))


def _end_s(records: Sequence[StretchRecord]) -> float:
    return seconds(records[-1].end_24k) if records else 0.0


def _late(segment: GivenSegment, records: Sequence[StretchRecord], name: str) -> Rejection:
    end_s = _end_s(records)
    return Rejection(
        source=Source(recording=name, chapter=records[-1].chapter if records else None, start_s=end_s, end_s=end_s),
        reason="segment_beyond_end",
        detail=f"line {segment.line}: {segment.start_s}-{segment.end_s} s",
        text=segment.text,
    )


def _notes(params: Params, info: RecordingInfo, records: Sequence[StretchRecord]) -> list[str]:
    end_s = _end_s(records)
    if params.max_duration_s is not None:
        return [f"A trial: only the first {end_s:.0f} s were read."]
    if info.duration_s and end_s < 0.98 * info.duration_s:
        return [f"The container promises {info.duration_s:.0f} s but holds {end_s:.0f} s: it may be cut off."]
    return []


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


def _check_chapters(params: Params, info: RecordingInfo) -> None:
    unknown = [number for number in params.validation_chapters if not 1 <= number <= len(info.chapters)]
    if unknown:
        raise UserError(
            "chapter_unknown",
            f"validation_chapters names {unknown}, but {Path(params.audio).name} has {len(info.chapters)} chapters.",
            "Give numbers from 1 to that, or leave validation_chapters out.",
        )
