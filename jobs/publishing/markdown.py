"""Markdown of the cards of what is published: texts of strangers are data in it."""

import html
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jobs.escaping import escape_line
from jobs.publishing.cleaning import clean_text

LONGEST_VALUE = 5000
_MARKS = {ord(mark): f"&#{ord(mark)};" for mark in "\\`*_[]|#!"}


def front_matter(fields: Mapping[str, Any]) -> str:
    """Return the metadata that the Hub reads, as YAML of JSON values."""
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---"])


def make_table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Iterate over the lines of a table of two columns without a head."""
    yield "| | |"
    yield "|---|---|"
    for name, value in rows:
        yield f"| {name} | {plain(value)} |"


def plain(text: str) -> str:
    """Return a text that is neither markup nor a path of this machine: names and texts of strangers are data."""
    return html.escape(clean_text(escape_line(text[:LONGEST_VALUE])), quote=False).translate(_MARKS)
