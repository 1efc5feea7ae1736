"""Saving and labelling of figures."""

import re
from pathlib import Path

from matplotlib.figure import Figure

from jobs.files.atomic_io import open_binary
from jobs.files.folders import make_folder


def save_png(figure: Figure, path: Path, dpi: int = 100) -> None:
    """Write a figure as a PNG that takes its name when it is complete; make the folder if needed."""
    make_folder(path.parent)
    with open_binary(path) as stream:
        figure.savefig(stream, format="png", dpi=dpi)


def shorten(text: str, max_characters: int) -> str:
    """Return a text for a label: on one line, without formula marks, cut to a length."""
    plain = re.sub(r"[$\\\s]+", " ", text).strip()  # matplotlib reads $ as the start of a formula
    return plain if len(plain) <= max_characters else plain[: max_characters - 1] + "…"
