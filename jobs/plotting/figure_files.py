"""Making, saving and labelling of figures. Names of strangers stand in them, so nothing is read as a formula."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from jobs.files.atomic_io import open_binary
from jobs.files.folders import make_folder

matplotlib.rcParams["text.parse_math"] = False


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure of a size in inches."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def save_png(figure: Figure, path: Path, dpi: int = 100) -> None:
    """Write a figure as a PNG that takes its name when it is complete; make the folder if needed."""
    make_folder(path.parent)
    with open_binary(path) as stream:
        figure.savefig(stream, format="png", dpi=dpi)


def shorten(text: str, max_characters: int) -> str:
    """Return a text for a label: on one line, cut to a length."""
    plain = " ".join(text.split())
    return plain if len(plain) <= max_characters else plain[: max_characters - 1] + "…"
