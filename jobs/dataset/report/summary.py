"""What came of a dataset, in figures: ``report.json``, and ten lines for whoever asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, Field

from jobs.atomic_io import write_json
from jobs.dataset.batch_state import write_batch_state
from jobs.dataset.manifest import Clip, Rejection
from jobs.dataset.quality.judging import Judged
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.rejection_reasons import MEANING, SILENCE
from jobs.dataset.report.durations import clock, n_samples, seconds
from jobs.dataset.report.text_coverage import unread

LOW_SHARE = 0.5  # a chapter of whose speech less is kept is told of
MOST_NOTES_TOLD = 5


@dataclass(frozen=True)
class About:
    """What a report is about, beside the clips themselves.

    Attributes:
        name: of the recording or the transcripts file.
        voice: name of the speaker.
        total_s: length of all recordings; None for curated clips.
        transcript: where the text comes from.
        chapter_titles: by (recording, chapter).
        n_words_book: words of the book's text; None without one.
        n_words_placed: of them found in the audio.
        book_text: that the clips' texts are cut from; None without one.
    """

    name: str
    voice: str
    total_s: float | None = None
    title: str | None = None
    author: str | None = None
    transcript: str = "none"
    chapter_titles: Mapping[tuple[str, int], str] = field(default_factory=dict)
    n_words_book: int | None = None
    n_words_placed: int | None = None
    book_text: str | None = None
    notes: Sequence[str] = ()


class Reason(BaseModel):
    """Why something was not kept: how often, how long, what it means."""

    reason: str
    n: int
    length_s: float
    meaning: str = ""


class ChapterRow(BaseModel):
    """What became of a chapter. ``kept_share`` is of its speech: silence does not count."""

    recording: str
    chapter: int | None
    title: str
    n_clips: int
    kept_s: float
    rejected_s: float
    silence_s: float
    kept_share: float | None
    reasons_s: dict[str, float]


class Report(BaseModel):
    """``report.json``. Seconds, to the sample at 24 kHz."""

    format: str = "tts-train dataset report 1"
    name: str
    title: str | None
    author: str | None
    voice: str
    transcript: str
    total_s: float | None
    kept_s: float
    rejected_s: float
    n_clips: int
    n_rejected: int
    """Rejected stretches that hold speech; silence is not counted."""
    n_validation: int
    validation_s: float
    n_words_book: int | None = None
    n_words_placed: int | None = None
    reasons: list[Reason] = Field(default_factory=list)
    chapters: list[ChapterRow] = Field(default_factory=list)
    narrators: dict[str, dict[str, float | int | None]] = Field(default_factory=dict)
    references: dict[str, list[str]] = Field(default_factory=dict)
    quality: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Of each measure the 5th, 50th and 95th percentile of the kept clips, and of how many it was taken."""
    thresholds: dict[str, float | str | bool | None] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    summary: str = ""

    @property
    def reasons_s(self) -> dict[str, float]:
        """Seconds by reason."""
        return {reason.reason: reason.length_s for reason in self.reasons}

    @property
    def reasons_n(self) -> dict[str, int]:
        """Number by reason, most first."""
        return {reason.reason: reason.n for reason in sorted(self.reasons, key=lambda each: -each.n)}


def make_report(about: About, judged: Judged, rejections: Sequence[Rejection], limits: Thresholds) -> Report:
    """Add up what was kept and what was not.

    Args:
        about: names and notes.
        judged: what was kept.
        rejections: all of them, also those of ``judged``.
        limits: that the clips were held against.
    """
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
        notes=[*about.notes, *judged.notes, *_chapter_notes(chapters), *_unread_notes(about, judged.kept, rejections)],
    )  # fmt: skip
    return report.model_copy(update={"summary": summary_of(report)})


def write_report(dataset: Path, report: Report, description: str) -> None:
    """Write ``report.json`` and ``.batch_state.json``."""
    write_json(dataset / "report.json", report.model_dump(mode="json"))
    write_batch_state(dataset, description, successful=report.n_clips, failed=report.n_rejected)


def summary_of(report: Report) -> str:
    """What an agent should know of the dataset, in about ten lines."""
    of = f" of {clock(report.total_s)}" if report.total_s else ""
    lines = [f"{report.title or report.name}: kept {clock(report.kept_s)}{of} in {report.n_clips} clips."]
    if report.n_words_book:
        placed = report.n_words_placed or 0
        lines.append(
            f"{placed} of the text's {report.n_words_book} words were found ({placed / report.n_words_book:.1%})."
        )
    worst = [reason for reason in report.reasons if reason.reason != SILENCE][:4]
    if worst:
        lines.append(f"Not kept: {', '.join(f'{each.reason} {clock(each.length_s)} ({each.n})' for each in worst)}.")
    middle = {name: values["median"] for name, values in report.quality.items()}
    told = [
        f"{label} {middle[name]:.{digits}f}{unit}"
        for name, label, unit, digits in (
            ("snr_db", "SNR", " dB", 0), ("loudness_lufs", "loudness", " LUFS", 0), ("sim", "SIM", "", 2),
            ("dnsmos_ovrl", "DNSMOS", "", 1), ("rate", "rate", "/s", 1),
        )
        if name in middle
    ]  # fmt: skip
    if told:
        lines.append(f"Median of the kept clips: {', '.join(told)}.")
    lines.append(
        f"Held out for validation: {report.n_validation} clips, {clock(report.validation_s)}."
        if report.n_validation
        else "Nothing is held out for validation."
    )
    best = [paths[0] for paths in report.references.values() if paths]
    if best:
        lines.append(f"Reference clip: {', '.join(best[:3])}.")
    lines += [f"Note: {note}" for note in report.notes[:MOST_NOTES_TOLD]]
    if len(report.notes) > MOST_NOTES_TOLD:
        lines.append(f"{len(report.notes) - MOST_NOTES_TOLD} more notes are in report.html.")
    return "\n".join(lines)


def _chapters(about: About, kept: Sequence[Clip], rejections: Sequence[Rejection]) -> list[ChapterRow]:
    """By recording and chapter, in order; curated clips are one chapter, since each is its own recording."""
    found: dict[tuple[str, int | None], Counter[str]] = defaultdict(Counter)
    clips: Counter[tuple[str, int | None]] = Counter()

    def key(row: Clip | Rejection) -> tuple[str, int | None]:
        if about.total_s is None or row.source is None:
            return "", None
        return row.source.recording, row.source.chapter

    rows = _rows(kept, rejections)
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


def _rows(kept: Sequence[Clip], rejections: Sequence[Rejection]) -> list[Clip | Rejection]:
    return [*kept, *rejections]


def _chapter_notes(chapters: Sequence[ChapterRow]) -> list[str]:
    notes = []
    for row in chapters:
        if row.kept_share is None or row.kept_share >= LOW_SHARE or not row.reasons_s:
            continue
        reason, length = next(iter(row.reasons_s.items()))
        meaning = MEANING.get(reason, "")
        how_much = f"only {row.kept_share:.0%}" if row.kept_s else "nothing"
        notes.append(
            f"{row.title}: {how_much} of its speech was kept; {clock(length)} is {reason}"
            + (f" ({meaning})." if meaning else ".")
        )
    return notes


def _unread_notes(about: About, kept: Sequence[Clip], rejections: Sequence[Rejection]) -> list[str]:
    """Where the book has text that is in no clip: an unread chapter, another edition."""
    if about.book_text is None:
        return []
    texts = sorted(
        [
            (row.source.recording, row.source.start_s, row.text)
            for row in _rows(kept, rejections)
            if row.source and row.text
        ],
    )
    return [
        f"{n_words} words of the text were not found in the recording, from “{excerpt}” on."
        for n_words, excerpt in unread(about.book_text, [text for _, _, text in texts])
    ]


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
