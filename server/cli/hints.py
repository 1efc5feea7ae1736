"""Calls of tools within a sentence, as the shell writes them: what ``next`` says to an agent, for a person to copy."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from server.cli.flags import spell
from tools.core.registry import all_tools

_NAME = re.compile(r" (\w+)=")
_JSON = json.JSONDecoder()


def as_commands(text: str) -> str:
    """A text in which ``align manifest="d/m.jsonl"`` reads ``./run.sh align --manifest d/m.jsonl``.

    A tool's name alone counts where the text says to call it. A call that was cut short stays as it is.
    """
    names = "|".join(sorted(all_tools(), key=len, reverse=True))
    found = re.compile(rf"(?<![\w./-])(?:(?<=[Cc]all )({names})(?![\w=])|({names})(?= \w+=))")
    parts, at = [], 0
    for match in found.finditer(text):
        if match.start() < at:
            continue
        arguments, end = _arguments(text, match.end())
        if arguments is not None:
            parts += [text[at : match.start()], command_line(match[0], arguments)]
            at = end
    return "".join([*parts, text[at:]])


def command_line(tool: str, arguments: Mapping[str, Any]) -> str:
    """``./run.sh synthesize --texts 'One.' 'Two.'``."""
    return " ".join(["./run.sh", tool, *(word for name, value in arguments.items() for word in _words(name, value))])


def _arguments(text: str, at: int) -> tuple[dict[str, Any] | None, int]:
    """The ``name=value`` words from a place on, and where they end; None when one cannot be read."""
    arguments: dict[str, Any] = {}
    while (match := _NAME.match(text, at)) is not None:
        try:
            arguments[match[1]], at = _JSON.raw_decode(text, match.end())
        except json.JSONDecodeError:
            return None, at
    return arguments, at


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [spell(name) if value else spell(f"no_{name}")]
    flag, told = spell(name), [_told(each) for each in (value if isinstance(value, list) else [value])]
    if any(each.startswith("-") for each in told):  # a word of its own would be read as a flag
        return [shlex.quote(f"{flag}={each}") for each in told]
    return [flag, *map(shlex.quote, told)]


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
