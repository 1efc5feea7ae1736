"""What a dataset shows once its words have times: a few clips with the words drawn over their spectrograms."""

from __future__ import annotations

import itertools
from pathlib import Path

from jobs.dataset.manifest import Clip, read_rows
from jobs.dataset.report.spectrograms import draw_spectrograms, image
from jobs.files import write_text

# A page of its own: report.html is ingest's, and a job whose artifact another one changes is not reused.
PAGE, PICTURE = "align_report.html", "report/words.png"
_ABOUT = "words over their sound: the clips with the least, middle and highest mean score"


def show_words(manifest: Path) -> Path:
    """Draw the worst, the middle and the best aligned clip, and show them on a page.

    Args:
        manifest: of aligned clips, has lines; the dataset is its folder.

    Returns:
        ``align_report.html`` beside the manifest.
    """
    dataset = manifest.parent
    scores = [_score(row) for row in read_rows(manifest, Clip)]
    order = sorted(range(len(scores)), key=lambda place: scores[place])
    places = list(dict.fromkeys((order[0], order[len(order) // 2], order[-1])))
    chosen = {place: row for place in places for row in itertools.islice(read_rows(manifest, Clip), place, place + 1)}
    draw_spectrograms(dataset / PICTURE, dataset, [chosen[place] for place in places])
    picture = image(dataset / PICTURE, _ABOUT)
    page = dataset / PAGE
    write_text(
        page,
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Aligned words</title>'
        "<style>body { font: 15px sans-serif; margin: 2rem } img { max-width: 100% }</style></head>"
        f"<body><h1>Aligned words</h1><p>{_ABOUT.capitalize()}.</p>{picture}</body></html>\n",
    )
    return page


def _score(row: Clip) -> float:
    return sum(word.score for word in row.words) / len(row.words) if row.words else 0.0
