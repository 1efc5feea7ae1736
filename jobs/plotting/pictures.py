"""Preview of a file: ``python -m jobs.plotting.pictures``: ``{"path": …}`` as JSON on stdin, PNG on stdout.

A sound becomes its spectrogram, a manifest the histogram of its clips' lengths. See ``jobs.plotting.render_client``.
"""

import json
import sys
from pathlib import Path

import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jobs.plotting.figure_files import new_figure
from jobs.plotting.spectrogram import draw_spectrogram

DPI = 100
LONGEST_S = 60.0
BINS = 30


def spectrogram(path: Path, title: str) -> Figure:
    """Draw the spectrogram of the first minute."""
    with soundfile.SoundFile(path) as sound:
        rate_hz = sound.samplerate
        samples = sound.read(int(LONGEST_S * rate_hz), dtype="float64", always_2d=True).mean(axis=1)
    figure = new_figure(9, 4)
    axes = figure.add_subplot()
    figure.colorbar(draw_spectrogram(axes, samples, rate_hz), label="dB")
    axes.set(title=title, xlabel="s")
    return figure


def histogram(path: Path, title: str) -> Figure:
    """Draw the histogram of the clips' lengths."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    lengths_s = [float(row["duration_s"]) for row in rows if row.get("duration_s")]
    figure = new_figure(8, 4)
    axes = figure.add_subplot()
    axes.hist(lengths_s, bins=BINS)
    minutes = sum(lengths_s) / 60
    axes.set(title=f"{title}: {len(rows)} clips, {minutes:.1f} minutes", xlabel="s", ylabel="clips")
    return figure


def main() -> None:
    """Read the request, draw, write."""
    request = json.load(sys.stdin)
    path = Path(request["path"])
    draw = histogram if path.suffix == ".jsonl" else spectrogram
    figure = draw(path, request["title"])
    FigureCanvasAgg(figure).print_png(sys.stdout.buffer, metadata={"Description": request.get("key", "")})


if __name__ == "__main__":
    main()
