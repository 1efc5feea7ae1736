"""``report.html``: a dataset on one page, to look at and listen to. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import soundfile

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.dataset.manifest import Clip
from jobs.dataset.quality.judging import Judged
from jobs.dataset.quality.quality_filter import Fault
from jobs.dataset.quality.thresholds import Thresholds
from jobs.dataset.report.durations import clock
from jobs.dataset.report.plots import draw_chapters, draw_histograms
from jobs.dataset.report.spectrograms import draw_spectrograms, image
from jobs.dataset.report.summary import Report
from jobs.files import write_text

PAGE = "report.html"
PICTURES = "report"
N_HEARD = 5
N_SPECTROGRAMS = 3
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .28rem .8rem .28rem 0; vertical-align: top; border-bottom: 1px solid #eee }
th { font-weight: 600; color: #666; font-size: .85rem }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
img { max-width: 100% } audio { height: 2.1rem; width: 16rem; display: block }
.low { color: #b00020; font-weight: 600 }
.big { display: flex; flex-wrap: wrap; gap: 2.2rem; margin: 1.2rem 0 }
.big b { display: block; font-size: 1.7rem; line-height: 1.2 }
.note { background: #fff7e0; border-left: 3px solid #edae49; padding: .4rem .8rem; margin: .4rem 0 }
.grey { color: #666 }
.bar { background: #f4d9dc; height: .7rem; width: 8rem; display: inline-block }
.bar i { background: #2a6f97; height: 100%; display: block }
"""


def write_page(dataset: Path, report: Report, judged: Judged, limits: Thresholds) -> None:
    """Draw the pictures into ``report/`` and write ``report.html``, which holds them and the sound of a few clips."""
    narrator = next(iter(judged.narrators.values()), None)
    best = _best(judged)
    pictures = dataset / PICTURES
    draw_chapters(pictures / "chapters.png", report)
    draw_histograms(pictures / "histograms.png", judged.kept, judged.rejected, narrator, limits)
    draw_spectrograms(pictures / "spectrograms.png", dataset, best[:N_SPECTROGRAMS])
    body = [
        f"<h1>{escape(report.title or report.name)}</h1>",
        f'<p class="grey">{escape(_subtitle(report))}</p>',
        _totals(report),
        "".join(f'<p class="note">{escape(note)}</p>' for note in report.notes),
        "<h2>Chapters</h2>",
        image(pictures / "chapters.png", "time kept and not kept by chapter"),
        _chapters(report),
        "<h2>Not kept, and why</h2>",
        _reasons(report),
        "<h2>Measures</h2>",
        '<p class="grey">Dashed: the limit. Rejected: for one of these measures. The others were rejected earlier.</p>',
        image(pictures / "histograms.png", "distributions of the measures"),
        "<h2>Listen: the best clips</h2>",
        '<p class="grey">Nearest to the narrator’s middle in voice, pitch, rate. The first is the reference clip.</p>',
        _heard(dataset, [(clip, None) for clip in best]),
        "<h2>Listen: rejected for their quality</h2>" if judged.rejected else "",
        _heard(dataset, _worst(judged)),
        "<h2>Listen: the most doubtful of the kept</h2>",
        _heard(dataset, [(clip, None) for clip in _doubtful(judged)]),
        "<h2>Spectrograms</h2>",
        image(pictures / "spectrograms.png", "spectrograms of the best clips"),
        "<h2>Limits</h2>",
        _limits(report),
    ]
    title = escape(report.title or report.name)
    write_text(
        dataset / PAGE,
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: dataset</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n",
    )


def _subtitle(report: Report) -> str:
    author = f"{report.author}. " if report.author else ""
    return f"{author}Voice {report.voice}, text: {report.transcript}."


def _totals(report: Report) -> str:
    cells = [(clock(report.kept_s), f"kept{f' of {clock(report.total_s)}' if report.total_s else ''}")]
    cells += [(str(report.n_clips), "clips"), (str(report.n_validation), "of them for validation")]
    if report.n_words_book:
        cells.append(
            (f"{(report.n_words_placed or 0) / report.n_words_book:.1%}", f"of {report.n_words_book} words found")
        )
    cells.append((str(report.n_rejected), "stretches of speech not kept"))
    return f'<div class="big">{"".join(f"<div><b>{escape(n)}</b>{escape(what)}</div>" for n, what in cells)}</div>'


def _chapters(report: Report) -> str:
    rows = []
    for row in report.chapters:
        share = row.kept_share
        low = ' class="low"' if share is not None and share < 0.5 else ""
        bar = f'<span class="bar"><i style="width:{100 * (share or 0):.0f}%"></i></span>'
        why = ", ".join(f"{reason} {clock(length)}" for reason, length in list(row.reasons_s.items())[:3])
        rows.append(
            [
                escape(row.title),
                _number(row.n_clips),
                clock(row.kept_s),
                f"<span{low}>{share:.0%}</span> {bar}" if share is not None else "no speech",
                escape(why),
            ]
        )
    return _table(["chapter", "clips", "kept", "share of its speech", "not kept, mostly"], rows, numbers=(1, 2))


def _reasons(report: Report) -> str:
    rows = [
        [escape(each.reason), clock(each.length_s), _number(each.n), escape(each.meaning)] for each in report.reasons
    ]
    return _table(["reason", "time", "stretches", "what it is"], rows, numbers=(1, 2))


def _limits(report: Report) -> str:
    rows = [[escape(name), "off" if value is None else escape(str(value))] for name, value in report.thresholds.items()]
    return _table(["quality", "limit"], rows)


def _best(judged: Judged) -> list[Clip]:
    places = {path: rank for paths in judged.references.values() for rank, path in enumerate(paths)}
    found = [clip for clip in judged.kept if clip.audio in places]
    return sorted(found, key=lambda clip: (places[clip.audio], clip.audio))[:N_HEARD]


def _worst(judged: Judged) -> list[tuple[Clip, Fault | None]]:
    """The one that breaks its limit the most, of each reason, then the next."""
    by_reason: dict[str, list[tuple[Clip, Fault]]] = {}
    for clip, fault in sorted(judged.rejected, key=lambda pair: -_excess(pair[1])):
        by_reason.setdefault(fault.reason, []).append((clip, fault))
    turns = [pairs[turn] for turn in range(N_HEARD) for pairs in by_reason.values() if turn < len(pairs)]
    return [(clip, fault) for clip, fault in turns[: 2 * N_HEARD]]


def _excess(fault: Fault) -> float:
    return abs(fault.value - fault.limit) / max(abs(fault.limit), 1e-6)


def _doubtful(judged: Judged) -> list[Clip]:
    """Kept clips that are least like the narrator; without a voice those of the lowest SNR."""
    return sorted(judged.kept, key=lambda clip: (clip.quality.get("sim", 1.0), clip.quality.get("snr_db", 99.0)))[
        :N_HEARD
    ]


def _heard(dataset: Path, clips: Iterable[tuple[Clip, Fault | None]]) -> str:
    rows = []
    for clip, fault in clips:
        where = _place(clip)
        why = f'<span class="low">{escape(fault.reason)}</span>: {escape(fault.detail)}' if fault else _figures(clip)
        text = escape(clip.text) or '<span class="grey">no text</span>'
        rows.append([_player(dataset / clip.audio), text, f'{escape(where)}<br><span class="grey">{why}</span>'])
    return _table([], rows)


def _place(clip: Clip) -> str:
    if clip.source is None:
        return clip.audio
    chapter = f", chapter {clip.source.chapter}" if clip.source.chapter is not None else ""
    at = f" at {clock(clip.source.start_s)}" if clip.source.start_s else ""
    return f"{clip.audio}{chapter}{at}"


def _figures(clip: Clip) -> str:
    shown = (("snr_db", "SNR {:.0f} dB"), ("sim", "SIM {:.2f}"), ("rate", "{:.1f}/s"), ("dnsmos_ovrl", "DNSMOS {:.1f}"))
    found = [text.format(clip.quality[name]) for name, text in shown if name in clip.quality]
    return escape(", ".join([f"{clip.duration_s or 0:.1f} s", *found]))


def _player(path: Path) -> str:
    """The clip as MP3 in the page itself: a page that is sent to somebody still speaks."""
    encoded = io.BytesIO()
    soundfile.write(encoded, read_clip(path, CLIP_RATE_HZ), CLIP_RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
    data = base64.b64encode(encoded.getvalue()).decode()
    return f'<audio controls preload="none" src="data:audio/mpeg;base64,{data}"></audio>'


def _number(n: int) -> str:
    return f"{n:,}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Cells are HTML."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if place in numbers else ''}>{content}</{tag}>" for place, content in enumerate(row)
        )

    top = f"<tr>{cells(head, 'th')}</tr>" if head else ""
    below = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table>{top}{below}</table>"
