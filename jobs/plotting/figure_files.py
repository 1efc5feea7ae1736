"""Saving and labelling of figures."""

import re
from pathlib import Path

from matplotlib.figure import Figure

from jobs.files.atomic_io import replacing


def save_png(figure: Figure, path: Path, dpi: int = 100) -> None:
    """Write a figure as a PNG that takes its name when it is complete; make the folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)


def shorten(text: str, max_characters: int) -> str:
    """Return a text for a label: on one line, without formula marks, cut to a length."""
    plain = re.sub(r"[$\\\s]+", " ", text).strip()  # matplotlib reads $ as the start of a formula
    return plain if len(plain) <= max_characters else plain[: max_characters - 1] + "…"
