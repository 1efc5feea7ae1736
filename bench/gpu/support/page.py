"""The page of the documentation about GPUs, made from stored results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.gpu.parts import PARTS
from jobs.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "gpu.md"
OPENING = """# On a GPU

`./run.sh bench gpu` measures what a GPU changes: the training contract in every number format, speed and memory of
training beside the dry run's estimate, the presets on cards of their size, speech, codes, Whisper, and several programs
on one card. It downloads nothing: models have random weights of the released sizes, made on the card. Every part is
bounded in time (`--minutes`, 8 in all), keeps its rows as they are measured, and goes on where it was when it is called
again; `--dry-run` lists the cases. What does not fit the memory that is free is left out and says so. `--upstream
FOLDER` adds upstream's own training script, `--whisper FOLDER` Whisper with real weights. `--keep` stores the result in
`bench/results/` and writes this page again.

| part | question |
|---|---|
| contract | does training predict what generation generates, in float32 and bfloat16 and with each attention? |
| training | frames a second; is the peak of memory within a tenth of the estimate; does a stopped run end the same? |
| presets | does the preset of 8, 12, 16 and 24 GB fit a card of that size? |
| upstream | how many times upstream's speed is it, on the same rows? |
| speaking | how many times real time, for one text and for many? |
| codes | are the codes of batches those of the CPU, and how fast are they? |
| whisper | how fast does Whisper hear, how many words are wrong, and are words aligned as on a CPU? |
| sharing | are the driver's answers right; do two programs get along on one card? |

"""
RECIPES = """By the memory model, not measured on a GPU: LoRA on the 1.7B takes 6.7 GB with `--preset 8gb` (4 clips of
up to 30 s, activations computed again), full training of the 1.7B takes 14.2 GB with `--preset 16gb` (the same, paged
8-bit optimizer, code predictor frozen).

"""
NOTHING = "No GPU is measured yet: nothing of this project has run on one.\n"


def render_page(results: Sequence[dict[str, Any]]) -> str:
    """Render the page: the opening, then a section for each result."""
    parts = [] if any(result["is_gpu"] for result in results) else [RECIPES + NOTHING]
    return OPENING + "\n".join([*parts, *map(_section, results)])


def _section(result: dict[str, Any]) -> str:
    driver = f"driver {result['driver']}, "
    if not result["is_gpu"]:
        driver = f"no GPU, {result['processor']}, at a load of {result['load']}, "
    about = f"{result['memory_gb']} GB, {driver}torch {result['torch']}, {result['date']}"
    title = f"## {result['device']}" + (", models of a test's size" if result["tiny"] else "")
    lines = [title, "", f"{about}.", "", "| case | verdict | figures |", "|---|---|---|"]
    for part in PARTS:
        lines += [render_row(row) for row in result["rows"] if row["part"] == part]
    return "\n".join(lines) + "\n"


def render_row(row: dict[str, Any]) -> str:
    """Render a row of the table."""
    figures = ", ".join(f"{name} {value}" for name, value in row["figures"].items())
    words = f"{row['says']} {figures}".replace("|", "/").strip()
    return f"| {row['part']}: {row['case']} | {row['verdict']} | {words} |"
