"""``align_report.html``: the words of a few aligned clips over their spectrograms."""

import itertools
from pathlib import Path

from jobs.dataset.manifest import Clip, read_rows
from jobs.dataset.report.plots import draw_spectrograms
from jobs.reports import embed_picture, write_page

# Files of its own: report.html and report/ are ingest's, and a job whose output another one changes is not repeated.
PAGE, PICTURE = "align_report.html", "align_report.png"


def show_words(manifest: Path) -> Path:
    """Draw the clips with the lowest, the median and the highest mean alignment score; return the HTML page."""
    dataset = manifest.parent
    scores = [_mean_score(row) for row in read_rows(manifest, Clip)]
    order = sorted(range(len(scores)), key=lambda place: scores[place])
    places = list(dict.fromkeys((order[0], order[len(order) // 2], order[-1])))
    chosen = {place: row for place in places for row in itertools.islice(read_rows(manifest, Clip), place, place + 1)}
    draw_spectrograms(dataset / PICTURE, dataset, [chosen[place] for place in places])
    page = dataset / PAGE
    write_page(page, "alignment", picture=embed_picture(dataset / PICTURE))
    return page


def _mean_score(row: Clip) -> float:
    return sum(word.score for word in row.words) / len(row.words) if row.words else 0.0
