"""``report.html``: takes and anchors on one page, to look at and listen to; no script, nothing from the network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from jobs.files import write_text
from jobs.rate_samples.params import Rating, Result
from jobs.rate_samples.report.plots import spectrogram_of
from jobs.rate_samples.report.rating_files import Rated
from jobs.rating.human_ratings import preferences
from jobs.rating.scoring import AUTOMATIC_CAP

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; vertical-align: top; border-top: 1px solid #ddd }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
img { max-width: 100% } img.spectrogram { width: 19rem; display: block } audio { height: 2.2rem; width: 19rem }
.note { color: #666 } .rating { font-size: 1.3rem; font-weight: 600 } ul { margin: .2rem 0; padding-left: 1.1rem }
.caveat { background: #fff6e0; padding: .6rem 1rem; border-left: 4px solid #e0a000 }
"""
_ANCHORS = {
    "narrator": "The narrator himself (ceiling)",
    "other_speaker": "Another speaker (floor)",
    "zero_shot": "Clone without training",
}
_PARTS = ("intelligibility", "voice", "sound", "timing")


def write_page(path: Path, rated: Rated, result: Result, audio_of: dict[str, str]) -> None:
    """Write the page.

    Args:
        path: beside ``ratings.png`` and ``spectrograms/``.
        rated: the run.
        result: of the run.
        audio_of: where the page finds the audio of takes and anchors, by their name in ``ratings.json``.
    """
    picture = base64.b64encode(Path(result.plot).read_bytes()).decode()
    body = [
        "<h1>Ratings</h1>",
        "".join(f"<p>{escape(sentence)}</p>" for sentence in result.verdict),
        f'<p class="caveat">{escape(result.caveat)}</p>',
        "<h2>Held against</h2>",
        _anchors(rated),
        f'<img alt="every take with its parts" src="data:image/png;base64,{picture}">',
        "<h2>Takes</h2>",
        _takes(rated.ratings, path.parent, audio_of),
        _people(rated),
        "<h2>The anchors, to listen to</h2>",
        *(
            f"<h3>{escape(_ANCHORS[name])}</h3>{_takes(found, path.parent, audio_of)}"
            for name, found in rated.anchors.items()
            if found
        ),
        "<h2>Who judged</h2>",
        _judges(rated),
    ]
    write_text(
        path,
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ratings</title><style>{_STYLE}</style>'
        f"</head><body>{''.join(body)}</body></html>\n",
    )


def _anchors(rated: Rated) -> str:
    summary = rated.summary()
    rows = [
        [f"These takes ({summary.n_texts} texts)", _interval(summary.mean, summary.low, summary.high),
         str(summary.n_takes), f"shown with the cap: {summary.shown.mean:.2f}"]
    ]  # fmt: skip
    for name, one in rated.anchor_summaries().items():
        if one is None:
            rows.append([_ANCHORS[name], "–", "0", rated.anchor_notes[name]])
        else:
            rows.append([_ANCHORS[name], _interval(one.mean, one.low, one.high), str(one.n), one.note])
    head = ["", "mean, 95 % interval (without the cap)", "n", ""]
    return _table(head, [[escape(cell) for cell in row] for row in rows])


def _interval(mean: float, low: float, high: float) -> str:
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


def _takes(ratings: Sequence[Rating], folder: Path, audio_of: dict[str, str]) -> str:
    rows = []
    for rating in ratings:
        source = audio_of[rating.audio]
        spectrogram = spectrogram_of(rating.audio)
        picture = f'<img class="spectrogram" alt="spectrogram" src="{_url(spectrogram)}">'
        parts = ", ".join(
            f"{part} {'–' if (value := getattr(rating, part)) is None else f'{value:.2f}'}" for part in _PARTS
        )
        if "utmosv2" in rating.measures:
            parts += f", UTMOSv2 {rating.measures['utmosv2']:.2f} (no part of the rating)"
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason in rating.reasons)
        uncapped = "" if rating.uncapped <= rating.rating else f' <span class="note">({rating.uncapped:.2f})</span>'
        person = "" if rating.person is None else f"<br>people: {rating.person:.1f} ({rating.n_person})"
        heard = (
            "" if rating.heard_words is None else f'<br><span class="note">heard: {escape(rating.heard_words)}</span>'
        )
        rows.append(
            [
                f'<span class="rating">{rating.rating:.1f}</span>{uncapped}{person}',
                f"“{escape(rating.text or 'text unknown')}”{heard}<br>{parts}<ul>{reasons}</ul>",
                f'<audio controls preload="none" src="{_url(source)}"></audio>'
                + (picture if (folder / spectrogram).is_file() else "")
                + f'<span class="note">{escape(rating.audio)}</span>',
            ]
        )
    return _table(["rating", "text, parts, reasons", ""], rows)


def _people(rated: Rated) -> str:
    said = rated.said
    if not said.scores and not said.votes:
        return f'<p class="note">No person has rated these takes yet: ratings stop at {AUTOMATIC_CAP}.</p>'
    scores = [
        [str(one.score), escape(Path(one.audio).name), escape(one.note), escape(one.who), _when(one.at)]
        for one in said.scores
    ]
    shares = [
        [
            escape(f"{one.model or 'these takes'} preferred to {one.against_model or 'the others'}"),
            f"{one.share:.0%} ({one.low:.0%} to {one.high:.0%})",
            f"{one.n_votes} votes, {one.n_blind} of them blind, {one.n_ties} ties (half a win each)",
        ]
        for one in preferences(said.votes)
    ]
    return (
        "<h2>What people said</h2>"
        + (_table(["score", "take", "note", "who", "when"], scores) if scores else "")
        + (_table(["", "share, 95 % interval (Wilson)", ""], shares) if shares else "")
    )


def _judges(rated: Rated) -> str:
    rows = [[escape(name.replace("_", " ")), escape(model)] for name, model in rated.instruments().items()]
    rows += [[f"limits of the voice, {escape(who)}", escape(one.source)] for who, one in rated.limits.items()]
    return _table([], rows)


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    first = "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>" if head else ""
    return f"<table>{first}{''.join('<tr>' + ''.join(f'<td>{c}</td>' for c in row) + '</tr>' for row in rows)}</table>"


def _url(path: str) -> str:
    return escape(quote(path), quote=True)
