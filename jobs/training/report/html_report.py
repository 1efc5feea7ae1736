"""``report.html``: a run on one page, to look at and listen to; no script, nothing from the network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from jobs.training.params import Result
from jobs.training.run.eval_samples import NARRATOR, ZERO_SHOT, Sample
from jobs.training.run.loss_history import PROBE_COLUMNS, History

MOST_PROBES = 12
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } th, td { text-align: left; padding: .25rem .8rem .25rem 0; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums } .bad { color: #b00020; font-weight: 600 }
img { max-width: 100% } .sentence { margin: 1.2rem 0 .2rem; font-style: italic } audio { height: 2.2rem; width: 18rem }
.note { color: #666 }
"""
_SOURCES = {
    NARRATOR: "the narrator, through the codec: the most there is",
    ZERO_SHOT: "the base, cloning the reference: where it started",
    "voice": "the voice",
    "voice-last": "the voice with the last weights",
}
_PROBE = (
    "Cross-entropy in nats on held-out clips under the right alignment and under the one beside it. The right one must "
    "be lower: step 0 is the untouched base. Where both lie near guessing, nothing can be said."
)


def write_page(path: Path, result: Result, run: dict[str, Any], history: History, samples: Sequence[Sample]) -> None:
    """Write the page beside ``loss.png`` and ``samples/``, under a temporary name first.

    Args:
        path: ``report.html`` in the run's folder.
        result: of the run.
        run: its parameters and what identifies it.
        history: losses and probes.
        samples: from ``jobs.training.run.eval_samples``; may be empty.
    """
    picture = base64.b64encode(Path(result.plot).read_bytes()).decode()
    body = [
        f"<h1>{escape(result.speaker)}: {escape(str(run.get('method', '')))}, {result.steps} steps</h1>",
        _summary(result),
        "<h2>Listen</h2>" if samples else "",
        _listening(samples),
        "<h2>Losses</h2>",
        f'<img alt="losses over the steps" src="data:image/png;base64,{picture}">',
        "<h2>Alignment</h2>",
        f'<p class="note">{_PROBE}</p>',
        _probes(history),
        "<h2>Parameters</h2>",
        _table([], ([escape(name), escape(_short(value))] for name, value in sorted(run.items()))),
    ]
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(result.speaker)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(page, encoding="utf-8")
    temporary.rename(path)


def _summary(result: Result) -> str:
    rows = [
        ["clips learnt", str(result.n_clips)],
        ["loss", f"{result.first_loss:.3f} → {result.last_loss:.3f}"],
        ["validation loss", "none was held out" if result.validation_loss is None else f"{result.validation_loss:.3f}"],
        ["weights of step", f"{result.voice_step} of {result.steps}"],
        ["base", result.base_check],
        ["voice", escape(result.voice)],
    ]
    return _table([], rows)


def _listening(samples: Sequence[Sample]) -> str:
    parts: list[str] = []
    for text in dict.fromkeys(sample.text for sample in samples):
        ones = [sample for sample in samples if sample.text == text]
        held_out = "held out" if ones[0].is_held_out else "learnt: says little"
        parts.append(f'<p class="sentence">“{escape(text)}” <span class="note">({held_out})</span></p>')
        order = [source for source in _SOURCES if any(sample.source == source for sample in ones)]
        parts.append(_table([], (_player(next(s for s in ones if s.source == source)) for source in order)))
    return "".join(parts)


def _player(sample: Sample) -> list[str]:
    about = escape(_SOURCES[sample.source])
    if sample.audio is None:
        return [about, f'<span class="bad">{escape(sample.note)}</span>', ""]
    note = f' <span class="bad">{escape(sample.note)}</span>' if sample.note else ""
    player = f'<audio controls preload="none" src="{escape(sample.audio, quote=True)}"></audio>'
    return [about, player, f"{sample.duration_s:.1f} s{note}"]


def _probes(history: History) -> str:
    rows = history.probes
    if len(rows) > MOST_PROBES:
        every = -(-len(rows) // MOST_PROBES)
        rows = [row for place, row in enumerate(rows) if place % every == 0 or place == len(rows) - 1]
    shown = []
    for step, talker, talker_after, own, after in rows:
        pairs = ((talker, talker_after), (own, after))
        cells = [f"{step:g}"]
        for right, wrong in pairs:
            mark = ' class="bad"' if right > wrong else ""
            cells += [f"<span{mark}>{right:.3f}</span>", f"{wrong:.3f}"]
        shown.append(cells)
    return _table([column.replace("_", " ") for column in PROBE_COLUMNS], shown, css="number")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], css: str = "") -> str:
    """Cells are HTML."""
    cell = f'<td class="{css}">' if css else "<td>"
    top = "<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>" if head else ""
    lines = ("<tr>" + "".join(f"{cell}{content}</td>" for content in row) + "</tr>" for row in rows)
    return f"<table>{top}{''.join(lines)}</table>"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:79] + "…"
