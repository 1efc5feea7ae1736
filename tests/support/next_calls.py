"""Calls that an answer's ``next`` names: tool and arguments, as an agent reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from jobs.runner.call_text import GAP


def calls_in(text: str, tools: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the calls with arguments that a text names, in order; what the person has to say is no argument."""
    names = "|".join(sorted(tools, key=len, reverse=True))
    for found in re.finditer(rf"\b({names})\b((?: \w+=)?)", text):
        arguments = _arguments(text[found.end(1) :])
        if arguments:
            yield found[1], arguments


def _arguments(text: str) -> dict[str, Any]:
    """``name=JSON name=JSON`` at the beginning of a text."""
    decoder = json.JSONDecoder()
    arguments: dict[str, Any] = {}
    while (found := re.match(r"\s+(\w+)=", text)) is not None:
        if text[found.end() :].startswith(GAP):
            text = text[found.end() + 1 :]
            continue
        try:
            value, end = decoder.raw_decode(text, found.end())
        except json.JSONDecodeError:
            break
        arguments[found[1]] = value
        text = text[end:]
    return arguments
