"""``report.html``: the rounds on one page, to read and listen to; no script, nothing from the network."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from jobs.files import write_text
from jobs.refine_voice.spec import Result

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top }
tr.best { font-weight: 600 } audio { height: 2.2rem; width: 18rem } .note { color: #666 }
"""


def write_page(path: Path, result: Result) -> None:
    """Write the page; it plays ``evaluations/`` beside it."""
    rows = "".join(
        f'<tr class="{"best" if one.iteration == result.best_iteration else ""}"><td>{one.iteration}</td>'
        f"<td>{one.rating:.2f}</td><td>{'' if one.lr is None else f'{one.lr:.2g}'}</td>"
        f"<td>{'' if one.validation_loss is None else f'{one.validation_loss:.4f}'}</td>"
        f"<td>{escape(one.decision)}</td></tr>"
        for one in result.rounds
    )
    heard = "".join(_round(path.parent, one.iteration) for one in result.rounds)
    write_text(
        path,
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Refining a voice</title>'
        f"<style>{_STYLE}</style></head><body><h1>Refining a voice</h1><p>{escape(result.verdict)}</p>"
        "<table><tr><th>round</th><th>rating</th><th>lr</th><th>validation loss</th><th>decision</th></tr>"
        f"{rows}</table>{heard}</body></html>\n",
    )


def _round(folder: Path, iteration: int) -> str:
    where = f"evaluations/iteration_{iteration}"
    read = json.loads((folder / where / "evaluation.json").read_text(encoding="utf-8"))
    rows = "".join(
        f"<tr><td>{sample['rating']:.1f}</td><td>“{escape(sample['phrase'])}”<br>"
        f'<span class="note">{escape("; ".join(sample["reasons"]))}</span></td>'
        f'<td><audio controls preload="none" src="{where}/{escape(sample["audio"], quote=True)}"></audio></td></tr>'
        for sample in read["samples"]
    )
    title = f"Round {iteration}" if iteration else "Before training: the base's clone"
    return f"<h2>{title}</h2><table>{rows}</table>"
