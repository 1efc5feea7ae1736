"""Writer of the dataset of curated clips: rejections, report and manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.dataset.exchange.exporters import give
from jobs.dataset.manifest import Rejection, Source, write_rows
from jobs.dataset.quality.judging import Judged, build_rejection
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.report.html_report import write_page
from jobs.dataset.report.report_model import About
from jobs.dataset.report.totals import make_report, write_report
from jobs.errors import UserError
from jobs.ingest_clips.params import Params, Result
from jobs.ingest_clips.transcript_parser import RejectedLine
from jobs.runner.worker.context import JobContext

MANIFEST_NAME = "train_manifest.jsonl"
REJECTIONS_NAME = "rejections.jsonl"


def write_dataset(
    dataset: Path,
    params: Params,
    judged: Judged,
    limits: Thresholds,
    numbers: Mapping[str, int],
    rejected: Sequence[RejectedLine],
    context: JobContext,
) -> Result:
    """Write rejections and report, then the manifest.

    Args:
        dataset: folder.
        params: of the job.
        judged: clips that are kept or rejected by their quality.
        limits: of quality.
        numbers: of the lines, by the clip's audio.
        rejected: lines without a clip.
        context: of the job.

    Raises:
        UserError: ``all_clips_rejected``, after the rejections are written.
    """
    rejections = _rejections_in_order(judged, numbers, rejected)
    write_rows(dataset / REJECTIONS_NAME, rejections)
    context.publish("rejections", dataset / REJECTIONS_NAME, "report")
    about = About(name=Path(params.transcripts).name, voice=params.voice, transcript="curated")
    report = make_report(about, judged, rejections, limits)
    write_report(
        dataset, report, f"Curated clips for the voice {params.voice}; reasons of rejections: {REJECTIONS_NAME}"
    )
    write_page(dataset, report, judged, limits)
    context.publish("report", dataset / "report.html", "report")
    if not judged.kept:
        raise _nothing_kept(params, rejections, dataset)
    write_rows(dataset / MANIFEST_NAME, judged.kept)
    context.publish("manifest", dataset / MANIFEST_NAME, "manifest")
    give(dataset / MANIFEST_NAME, params.export, context)
    n_lines = len(numbers) + len(rejected)
    context.progress(n_lines, n_lines, "Ingested", kept_s=report.kept_s, rejected=report.n_rejected)
    return Result(
        dataset=str(dataset),
        manifest=str(dataset / MANIFEST_NAME),
        n_clips=report.n_clips,
        n_rejected=report.n_rejected,
        kept_s=round(report.kept_s, 3),
        rejected_by_reason=report.reasons_n,
        n_validation=report.n_validation,
        report=str(dataset / "report.html"),
        summary=report.summary,
    )


def _rejections_in_order(
    judged: Judged, numbers: Mapping[str, int], rejected: Sequence[RejectedLine]
) -> list[Rejection]:
    """Return all rejections in the order of the lines."""
    found = [(line.number, _rejection(line)) for line in rejected]
    for row, fault in judged.rejected:
        number = numbers[row.audio]
        rejection = build_rejection(row, fault)
        found.append((number, rejection.model_copy(update={"detail": f"line {number}: {rejection.detail}"})))
    return [rejection for _, rejection in sorted(found, key=lambda pair: pair[0])]


def _rejection(line: RejectedLine) -> Rejection:
    return Rejection(
        source=Source(recording=line.audio_file, start_s=0.0, end_s=line.duration_s),
        reason=line.reason,
        detail=f"line {line.number}: {line.detail}",
        text=line.text,
    )


def _nothing_kept(params: Params, rejections: Sequence[Rejection], dataset: Path) -> UserError:
    reason, count = Counter(row.reason for row in rejections).most_common(1)[0]
    example = next(row for row in rejections if row.reason == reason)
    return UserError(
        "all_clips_rejected",
        f"None of the {len(rejections)} lines of {params.transcripts} gave a clip; {count} times the reason was "
        f"{reason} ({example.detail}).",
        f"Read {dataset / REJECTIONS_NAME}, correct the transcripts or audio_dir, and start again.",
    )
