"""Text of a tool's call with its arguments, as answers and errors name it: ``align manifest="anna"``."""

import json
from collections.abc import Mapping
from typing import Any

LONGEST_CALL = 500
GAP = "…"
"""A value that the reader fills in, as in ``manifest=…``."""

NEW_TEXT = "The evening train was late, so we walked home along the river and talked about the summer."
"""What a named call of synthesize speaks."""


def call_text(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return ``align manifest="/d/train_manifest.jsonl" min_word_score=0.5``; of a very long call, the longest values
    are left to the reader as ``…``.
    """
    values = {name: value_text(value) for name, value in arguments.items()}

    def written() -> str:
        return " ".join([tool, *(f"{name}={value}" for name, value in values.items())])

    for name in sorted(values, key=lambda name: -len(values[name])):
        if len(written()) <= LONGEST_CALL:
            break
        values[name] = GAP
    return written()


def argument_text(name: str, value: Any) -> str:
    """Return ``tokenizer="/models/base"``: one argument of a call, for a text that names no whole call."""
    return f"{name}={value_text(value)}"


def value_text(value: Any) -> str:
    """Return a value as calls hold it: JSON, in which no name of a file ends its own text; or the gap."""
    return GAP if value == GAP else json.dumps(value, ensure_ascii=False)
