"""Totals of a dataset: the content of ``report.json`` and ``.batch_state.json``."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from jobs.dataset.manifest import Clip, Rejection
from jobs.dataset.quality.judging import Judged
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.rejection_reasons import MEANING, SILENCE
from jobs.dataset.report.report_model import About, ChapterRow, Reason, Report, n_samples, seconds
from jobs.dataset.report.summary import chapter_notes, missing_text_notes, summarise
from jobs.files.atomic_io import write_json

BATCH_STATE_NAME = ".batch_state.json"  # totals in the form that report tools of the original skill read


def make_report(about: About, judged: Judged, rejections: Sequence[Rejection], limits: Thresholds) -> Report:
    """Add up kept clips and rejections; ``rejections`` include those of ``judged``."""
    counts = Counter(row.reason for row in rejections)
    lengths: Counter[str] = Counter(dict.fromkeys(counts, 0))
    for row in rejections:
        lengths[row.reason] += n_samples(row)
    n_kept, n_rejected = sum(n_samples(clip) for clip in judged.kept), sum(lengths.values())
    chapters = _chapters(about, judged.kept, rejections)
    held_out = [clip for clip in judged.kept if clip.split == "validation"]
    report = Report(
        name=about.name,
        title=about.title,
        author=about.author,
        voice=about.voice,
        transcript=about.transcript,
        total_s=about.total_s,
        kept_s=seconds(n_kept),
        rejected_s=seconds(n_rejected),
        n_clips=len(judged.kept),
        n_rejected=sum(n for reason, n in counts.items() if reason != SILENCE),
        n_validation=len(held_out),
        validation_s=round(sum(clip.duration_s or 0.0 for clip in held_out), 3),
        n_words_book=about.n_words_book,
        n_words_placed=about.n_words_placed,
        reasons=[
            Reason(reason=reason, n=counts[reason], length_s=seconds(n), meaning=MEANING.get(reason, ""))
            for reason, n in lengths.most_common()
        ],
        chapters=chapters,
        narrators={
            name: {
                "n_clips": each.n_clips, "snr_db": each.snr_db, "loudness_lufs": each.loudness_lufs,
                "rate": each.speaking_rate and round(each.speaking_rate, 2), "pitch_hz": each.pitch_hz,
                "sim": each.sim and round(each.sim, 3),
            }
            for name, each in judged.narrators.items()
        },
        references=judged.references,
        quality=_percentiles(judged.kept),
        thresholds=limits.model_dump(),
        notes=[
            *about.notes, *judged.notes, *chapter_notes(chapters),
            *missing_text_notes(about, [*judged.kept, *rejections]),
        ],
    )  # fmt: skip
    return report.model_copy(update={"summary": summarise(report)})


def write_report(dataset: Path, report: Report, description: str) -> None:
    """Write ``report.json`` and ``.batch_state.json``, without paths, so that the dataset can be moved."""
    write_json(dataset / "report.json", report.model_dump(mode="json"))
    batch_state = {
        "name": "tts-dataset",
        "description": description,
        "total": report.n_clips + report.n_rejected,
        "successful": report.n_clips,
        "failed": report.n_rejected,
    }
    write_json(dataset / BATCH_STATE_NAME, batch_state)


def _chapters(about: About, kept: Sequence[Clip], rejections: Sequence[Rejection]) -> list[ChapterRow]:
    """Add up by recording and chapter, in order; curated clips are one chapter, since each is its own recording."""
    found: dict[tuple[str, int | None], Counter[str]] = defaultdict(Counter)
    clips: Counter[tuple[str, int | None]] = Counter()

    def key(row: Clip | Rejection) -> tuple[str, int | None]:
        if about.total_s is None or row.source is None:
            return "", None
        return row.source.recording, row.source.chapter

    rows: list[Clip | Rejection] = [*kept, *rejections]
    rows.sort(key=lambda row: row.source.start_s if row.source else 0.0)
    recordings = list(dict.fromkeys(row.source.recording for row in rows if row.source))
    rows.sort(key=lambda row: recordings.index(row.source.recording) if row.source and about.total_s else 0)
    for row in rows:
        found[key(row)][row.reason if isinstance(row, Rejection) else "kept"] += n_samples(row)
        clips[key(row)] += isinstance(row, Clip)
    answer = []
    for place, lengths in found.items():
        kept_n, silent_n = lengths.pop("kept", 0), lengths.pop(SILENCE, 0)
        speech = kept_n + sum(lengths.values())
        recording, chapter = place
        title = about.chapter_titles.get((recording, chapter)) if chapter is not None else None
        answer.append(
            ChapterRow(
                recording=recording,
                chapter=chapter,
                title=title or (f"Chapter {chapter}" if chapter is not None else recording or "all clips"),
                n_clips=clips[place],
                kept_s=seconds(kept_n),
                rejected_s=seconds(speech - kept_n),
                silence_s=seconds(silent_n),
                kept_share=round(kept_n / speech, 4) if speech else None,
                reasons_s={reason: seconds(n) for reason, n in lengths.most_common() if n},
            )
        )
    return answer


def _percentiles(kept: Sequence[Clip]) -> dict[str, dict[str, float]]:
    values: dict[str, list[float]] = defaultdict(list)
    for clip in kept:
        for name, value in clip.quality.items():
            values[name].append(value)
        values["duration_s"].append(clip.duration_s or 0.0)
    answer = {}
    for name, found in sorted(values.items()):
        found.sort()
        answer[name] = {
            "n": float(len(found)),
            "p5": found[int(0.05 * (len(found) - 1))],
            "median": found[(len(found) - 1) // 2],
            "p95": found[int(0.95 * (len(found) - 1) + 0.5)],
        }
    return answer
