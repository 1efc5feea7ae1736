"""Rows of a measurement as a table of 80 columns: a row's verdict and case, the reason and figures below it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

WIDTH = 80
INDENT = " " * 10


def render_row(row: Mapping[str, Any]) -> str:
    """Render a row with all its figures."""
    head = f"{row['verdict']:9} {row['part']}: {row['case']}"
    figures = ", ".join(f"{name} {value}" for name, value in row["figures"].items())
    words = [text for text in (str(row["says"]), figures) if text]
    below = [textwrap.fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT) for text in words]
    return "\n".join([textwrap.shorten(head, WIDTH, placeholder=" …") if len(head) > WIDTH else head, *below])


def render_memory(rows: list[dict[str, Any]]) -> str:
    """Render the rows that have an estimate: the measured peak beside it. Empty without such rows."""
    shown = [row for row in rows if "estimated_gb" in row["figures"] and "peak_gb" in row["figures"]]
    if not shown:
        return ""
    lines = [f"{'case':46}{'peak GB':>9}{'estimate':>9}{'ratio':>7}{'frames/s':>9}"]
    for row in shown:
        found = row["figures"]
        name = textwrap.shorten(f"{row['part']}: {row['case']}", 45, placeholder=" …")
        lines.append(
            f"{name:46}{found['peak_gb']:>9.2f}{found['estimated_gb']:>9.2f}{found.get('ratio', ''):>7}"
            f"{found.get('frames_per_s', ''):>9}"
        )
    return "\n".join(lines)
