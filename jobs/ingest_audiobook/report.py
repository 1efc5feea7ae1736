"""What came of an ingest, for machines and for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jobs.files import write_json, write_text
from jobs.ingest_audiobook.dataset import StretchRecord, seconds
from jobs.speech.audio import CLIP_RATE_HZ, RecordingInfo
from jobs.speech.batch_state import write_batch_state
from jobs.speech.manifest import Rejection

MEANING = {
    "silence": "pauses, and sound that is no speech",
    "too_short": "shorter than min_clip_s, with no near neighbour to join",
    "too_long": "longer than max_clip_s, with no pause to cut at",
    "not_in_text": "speech that the text does not have, or credits, notes, another edition",
    "words_differ": "the narrator says other words than the text",
    "not_aligned": "the text does not fit the sound",
    "speech_not_in_text": "speech before or after the words that were found",
    "cut_in_speech": "speech without a pause, beside words that were kept",
    "hallucination_loop": "Whisper repeats itself",
    "no_speech": "Whisper takes noise for words",
    "low_confidence": "Whisper is unsure",
    "no_transcript": "Whisper hears no words",
    "not_in_segments": "speech that no given segment names",
    "segment_overlaps": "a given segment begins before the one before ends",
    "segment_backwards": "a given segment ends before it begins",
    "segment_before_start": "a given segment begins before the recording",
    "segment_crosses_end": "a given segment crosses a chapter's border or the recording's end",
    "segment_beyond_end": "a given segment begins after the recording's end",
    "segment_without_text": "a given segment says nothing",
}


@dataclass(frozen=True)
class Report:
    """The figures of ``ingest_report.json``; seconds, to the sample at 24 kHz."""

    recording: str
    title: str | None
    author: str | None
    voice: str
    transcript: str
    recording_s: float
    kept_s: float
    rejected_s: float
    n_clips: int
    n_rejected: int
    """Rejected stretches that hold speech; silence is not counted."""
    rejected_by_reason_s: dict[str, float] = field(default_factory=dict)
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    n_words_placed: int | None = None
    n_words_book: int | None = None
    chapters: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_report(
    records: Sequence[StretchRecord],
    info: RecordingInfo,
    *,
    recording: str,
    voice: str,
    transcript: str,
    n_words_book: int | None,
    notes: Sequence[str],
    late: Sequence[Rejection] = (),
) -> Report:
    """Add up the stretches. What is kept and what is rejected make up the recording, to the sample.

    ``late`` are rejections of no length: given segments after the recording's end.
    """
    counts = Counter(rejection.reason for rejection in late)
    lengths = Counter(dict.fromkeys(counts, 0))
    by_chapter: dict[int | None, Counter[str]] = defaultdict(Counter)
    for record in records:
        for rejection in record.rejections:
            n_samples = _n_samples(rejection.source.start_s, rejection.source.end_s)
            lengths[rejection.reason] += n_samples
            counts[rejection.reason] += 1
            by_chapter[record.chapter]["rejected"] += n_samples
        for clip in record.clips:
            assert clip.source is not None
            by_chapter[record.chapter]["kept"] += _n_samples(clip.source.start_s, clip.source.end_s)
            by_chapter[record.chapter]["clips"] += 1
    n_kept = sum(chapter["kept"] for chapter in by_chapter.values())
    n_all = records[-1].end_24k if records else 0
    assert n_kept + sum(lengths.values()) == n_all, "kept and rejected samples do not make up the recording"
    return Report(
        recording=recording,
        title=info.title,
        author=info.author,
        voice=voice,
        transcript=transcript,
        recording_s=seconds(n_all),
        kept_s=seconds(n_kept),
        rejected_s=seconds(n_all - n_kept),
        n_clips=sum(len(record.clips) for record in records),
        n_rejected=sum(n for reason, n in counts.items() if reason != "silence"),
        rejected_by_reason_s={reason: seconds(n) for reason, n in lengths.most_common()},
        rejected_by_reason=dict(counts.most_common()),
        n_words_placed=None if n_words_book is None else sum(record.n_words for record in records),
        n_words_book=n_words_book,
        chapters=[
            {
                "chapter": chapter,
                "title": info.chapters[chapter - 1].title if chapter is not None else None,
                "n_clips": figures["clips"],
                "kept_s": seconds(figures["kept"]),
                "rejected_s": seconds(figures["rejected"]),
            }
            for chapter, figures in by_chapter.items()
        ],
        notes=list(notes),
    )


def _n_samples(start_s: float, end_s: float) -> int:
    return round(end_s * CLIP_RATE_HZ) - round(start_s * CLIP_RATE_HZ)


def write_report(dataset: Path, report: Report) -> None:
    """Write ``ingest_report.json``, ``report.md`` and ``.batch_state.json``."""
    write_json(dataset / "ingest_report.json", asdict(report))
    write_text(dataset / "report.md", _text(report))
    write_batch_state(
        dataset,
        f"Clips of {report.title or report.recording} for the voice {report.voice}; "
        "failed are rejected stretches of speech, see rejections.jsonl",
        successful=report.n_clips,
        failed=report.n_rejected,
    )


def _text(report: Report) -> str:
    by = f" ({report.author})" if report.author else ""
    lines = [
        f"# {report.title or report.recording}{by}",
        "",
        f"{clock(report.recording_s)} of recording: **{clock(report.kept_s)} kept in {report.n_clips} clips**, "
        f"{clock(report.rejected_s)} not kept. Transcript: {report.transcript}.",
    ]
    if report.n_words_book:
        placed = report.n_words_placed or 0
        share = placed / report.n_words_book
        lines.append(f"{placed} of the text's {report.n_words_book} spoken words are in a clip ({share:.1%}).")
    lines += ["", *(f"- {note}" for note in report.notes)]
    lines += ["", "| not kept | time | stretches | what it is |", "|---|---|---|---|"]
    for reason, length in report.rejected_by_reason_s.items():
        count = report.rejected_by_reason[reason]
        lines.append(f"| {reason} | {clock(length)} | {count} | {MEANING.get(reason, '')} |")
    lines += ["", "| chapter | clips | kept | not kept |", "|---|---|---|---|"]
    for chapter in report.chapters:
        kept, rejected = float(str(chapter["kept_s"])), float(str(chapter["rejected_s"]))
        title = chapter["title"] or chapter["chapter"] or "(whole recording)"
        lines.append(f"| {title} | {chapter['n_clips']} | {clock(kept)} | {clock(rejected)} |")
    return "\n".join([*lines, "", "Each line of rejections.jsonl tells where, why, and what was heard.", ""])


def clock(length_s: float) -> str:
    """``1:02:03`` or ``2:03.4``."""
    minutes, rest = divmod(length_s, 60)
    if minutes < 60:
        return f"{int(minutes)}:{rest:04.1f}"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{int(rest):02d}"
