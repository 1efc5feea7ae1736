"""``loss.png``: the losses of a run over its steps."""

from pathlib import Path

from jobs.files.atomic_io import open_binary
from jobs.training.loss_history import LossHistory


def plot_losses(history: LossHistory, path: Path, title: str) -> None:
    """Draw the losses over the steps as a PNG."""
    from jobs.plotting.figure_files import new_figure

    figure = new_figure(8, 4.5)
    axes = figure.add_subplot()
    steps = [row[0] for row in history.steps]
    for column, label in ((1, "total"), (2, "talker (codebook 0)"), (3, "code predictor (codebooks 1-15)")):
        axes.plot(steps, [row[column] for row in history.steps], label=label, linewidth=1)
    if history.validations:
        axes.plot([row[0] for row in history.validations], [row[1] for row in history.validations], "o-",
                  label="validation, total", markersize=3)  # fmt: skip
    axes.set(xlabel="optimiser step", ylabel="cross-entropy, nats", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    with open_binary(path) as stream:
        figure.savefig(stream, format="png", dpi=110)
