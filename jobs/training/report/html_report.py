"""``report.html`` of a training run: summary, samples, losses, alignment probes and parameters."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs.reports import embed_picture
from jobs.reports import write_page as render_page
from jobs.training.loss_history import PROBE_COLUMNS, LossHistory
from jobs.training.params import Result
from jobs.training.run.eval_samples import Sample
from jobs.training.sample_list import describe_source, source_order

MAX_PROBES = 12
MAX_VALUE_LENGTH = 80


def write_page(
    path: Path, result: Result, run: dict[str, Any], history: LossHistory, samples: Sequence[Sample]
) -> None:
    """Write the page beside ``loss.png`` and ``samples/``."""
    render_page(
        path,
        "training",
        speaker=result.speaker,
        method=str(run.get("method", "")),
        steps=result.steps,
        summary=_summary(result),
        sentences=list(_sentences(samples)),
        loss_plot=embed_picture(Path(result.plot)),
        probe_columns=[column.replace("_", " ") for column in PROBE_COLUMNS],
        probes=_thin_out(history.probes),
        parameters=[[name, _shorten(str(value))] for name, value in sorted(run.items())],
    )


def _summary(result: Result) -> list[list[str]]:
    validation_loss = result.validation_loss
    return [
        ["training clips", str(result.n_clips)],
        ["loss", f"{result.first_loss:.3f} → {result.last_loss:.3f}"],
        ["validation loss", "no clips held out" if validation_loss is None else f"{validation_loss:.3f}"],
        *_describe_average(result),
        ["end", result.ended],
        ["exported weights", f"step {result.voice_step} of {result.steps}"],
        ["alignment check of the base model", result.base_check],
        ["voice", result.voice],
    ]


def _describe_average(result: Result) -> list[list[str]]:
    if result.ema_validation_loss is None:
        return []
    return [["validation loss of the averaged weights", f"{result.ema_validation_loss:.3f}"]]


def _sentences(samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
    """Yield each sentence with its samples, in the order of the sources."""
    for text in dict.fromkeys(sample.text for sample in samples):
        found = sorted((sample for sample in samples if sample.text == text), key=lambda one: source_order(one.source))
        yield {
            "text": text,
            "is_held_out": found[0].is_held_out,
            "samples": [{**vars(sample), "about": describe_source(sample.source)} for sample in found],
        }


def _thin_out(probes: list[list[float]]) -> list[list[float]]:
    """Keep about ``MAX_PROBES`` evenly spaced probes, the first and the last included."""
    every = -(-len(probes) // MAX_PROBES) or 1
    return [row for place, row in enumerate(probes) if place % every == 0 or place == len(probes) - 1]


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"
