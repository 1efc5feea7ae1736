"""``report.html`` of a dataset: totals, chapters, rejections, quality measures and a few clips to listen to.

Sound and pictures are embedded, so the page can be sent as one file.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import soundfile

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.dataset.manifest import Clip
from jobs.dataset.quality.judging import Judged
from jobs.dataset.quality.quality_filter import QualityRejection
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.report.plots import draw_chapters, draw_histograms, draw_spectrograms
from jobs.dataset.report.report_model import ChapterRow, Report, clock
from jobs.reports import data_url, embed_picture
from jobs.reports import write_page as render_page

PAGE = "report.html"
PICTURES = "report"
N_CLIPS = 5  # of each list of players
N_SPECTROGRAMS = 3
_MEASURES = (
    ("snr_db", "SNR {:.0f} dB"), ("sim", "SIM {:.2f}"), ("rate", "{:.1f}/s"), ("dnsmos_ovrl", "DNSMOS {:.1f}"),
)  # fmt: skip


def write_page(dataset: Path, report: Report, judged: Judged, limits: Thresholds) -> None:
    """Draw the pictures into ``report/`` and write ``report.html``."""
    narrator = next(iter(judged.narrators.values()), None)
    best = _best_clips(judged)
    pictures = {name: dataset / PICTURES / f"{name}.png" for name in ("chapters", "histograms", "spectrograms")}
    draw_chapters(pictures["chapters"], report)
    draw_histograms(pictures["histograms"], judged.kept, judged.rejected, narrator, limits)
    draw_spectrograms(pictures["spectrograms"], dataset, best[:N_SPECTROGRAMS])
    render_page(
        dataset / PAGE,
        "dataset",
        title=report.title or report.name,
        author=report.author,
        voice=report.voice,
        transcript=report.transcript,
        totals=_totals(report),
        notes=report.notes,
        pictures={name: embed_picture(path) for name, path in pictures.items()},
        chapters=[_chapter(row) for row in report.chapters],
        reasons=[[each.reason, clock(each.length_s), f"{each.n:,}", each.meaning] for each in report.reasons],
        best=[_playable(dataset, clip) for clip in best],
        rejected=[_playable(dataset, clip, rejection) for clip, rejection in _worst_clips(judged)],
        borderline=[_playable(dataset, clip) for clip in _borderline_clips(judged)],
        thresholds=[[name, "off" if value is None else value] for name, value in report.thresholds.items()],
    )


def _totals(report: Report) -> list[tuple[str, str]]:
    of_total = f" of {clock(report.total_s)}" if report.total_s else ""
    totals = [
        (clock(report.kept_s), f"kept{of_total}"),
        (f"{report.n_clips:,}", "clips"),
        (f"{report.n_validation:,}", "of them for validation"),
        (f"{report.n_rejected:,}", "segments of speech rejected"),
    ]
    if report.n_words_book:
        share = (report.n_words_placed or 0) / report.n_words_book
        totals.append((f"{share:.1%}", f"of the text’s {report.n_words_book:,} words found in the audio"))
    return totals


def _chapter(row: ChapterRow) -> dict[str, Any]:
    reasons = ", ".join(f"{reason} {clock(length)}" for reason, length in list(row.reasons_s.items())[:3])
    return {
        "title": row.title, "n_clips": row.n_clips, "kept": clock(row.kept_s), "kept_share": row.kept_share,
        "reasons": reasons,
    }  # fmt: skip


def _best_clips(judged: Judged) -> list[Clip]:
    places = {path: rank for paths in judged.references.values() for rank, path in enumerate(paths)}
    found = [clip for clip in judged.kept if clip.audio in places]
    return sorted(found, key=lambda clip: (places[clip.audio], clip.audio))[:N_CLIPS]


def _worst_clips(judged: Judged) -> list[tuple[Clip, QualityRejection]]:
    """Select rejected clips in turn from each reason, those furthest beyond the threshold first."""
    by_reason: dict[str, list[tuple[Clip, QualityRejection]]] = {}
    for clip, rejection in sorted(judged.rejected, key=lambda pair: -_excess(pair[1])):
        by_reason.setdefault(rejection.reason, []).append((clip, rejection))
    turns = [pairs[turn] for turn in range(N_CLIPS) for pairs in by_reason.values() if turn < len(pairs)]
    return turns[: 2 * N_CLIPS]


def _excess(rejection: QualityRejection) -> float:
    return abs(rejection.value - rejection.limit) / max(abs(rejection.limit), 1e-6)


def _borderline_clips(judged: Judged) -> Sequence[Clip]:
    """Select kept clips that are least like the narrator; without similarity, those with the lowest SNR."""
    return sorted(judged.kept, key=lambda clip: (clip.quality.get("sim", 1.0), clip.quality.get("snr_db", 99.0)))[
        :N_CLIPS
    ]


def _playable(dataset: Path, clip: Clip, rejection: QualityRejection | None = None) -> dict[str, Any]:
    measures = [text.format(clip.quality[name]) for name, text in _MEASURES if name in clip.quality]
    return {
        "sound": _embed_sound(dataset / clip.audio),
        "text": clip.text,
        "place": _place(clip),
        "reason": rejection and rejection.reason,
        "detail": rejection and rejection.detail,
        "measures": ", ".join([f"{clip.duration_s or 0:.1f} s", *measures]),
    }


def _place(clip: Clip) -> str:
    if clip.source is None:
        return clip.audio
    chapter = f", chapter {clip.source.chapter}" if clip.source.chapter is not None else ""
    at = f" at {clock(clip.source.start_s)}" if clip.source.start_s else ""
    return f"{clip.audio}{chapter}{at}"


def _embed_sound(path: Path) -> str:
    """Return a clip as an MP3 data URL."""
    encoded = io.BytesIO()
    soundfile.write(encoded, read_clip(path, CLIP_RATE_HZ), CLIP_RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
    return data_url(encoded.getvalue(), "audio/mpeg")
