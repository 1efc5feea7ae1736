"""Bounds of every argument of every call: length of strings and lists, nesting, size of numbers, Unicode.

They hold before any other check, so that no argument can keep the server busy. A field that declares a larger
``max_length`` for its strings or lists gets it.
"""

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

LONGEST_STRING = 4096  # characters: the longest path of Linux
LONGEST_NAME = 100
MOST_ITEMS = 1000  # of one list or object
MOST_VALUES = 20_000  # of one argument, nested ones included
MOST_CHARACTERS = 2_000_000  # of one argument: 500 texts of 2,000 characters fit
DEEPEST = 16
LARGEST_WHOLE = 2**63 - 1  # of what the store and the libraries take


def find_breach(model: type[BaseModel], name: str, value: Any) -> str | None:
    """Return what is too large, too deep or unwritable in an argument, as a sentence's end; None: nothing."""
    longest, most_items = _declared(model).get(name, (LONGEST_STRING, MOST_ITEMS))
    waiting: list[tuple[Any, int]] = [(value, 0)]
    n_values = n_characters = 0
    while waiting:
        part, depth = waiting.pop()
        n_values += 1
        breach = _breach_of_one(part, longest, most_items)
        if breach is not None:
            return breach
        n_characters += len(part) if isinstance(part, str) else 0
        if n_values > MOST_VALUES:
            return f"has more than {MOST_VALUES:,} values"
        if n_characters > MOST_CHARACTERS:
            return f"has more than {MOST_CHARACTERS:,} characters"
        if isinstance(part, Mapping | list):
            if depth == DEEPEST:
                return f"is nested deeper than {DEEPEST} levels"
            inner = [*part, *part.values()] if isinstance(part, Mapping) else part
            waiting += [(each, depth + 1) for each in inner]
    return None


def is_writable(text: str) -> bool:
    """Return whether a text can be encoded; JSON may hold lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _breach_of_one(part: Any, longest: int, most_items: int) -> str | None:
    if isinstance(part, str):
        if len(part) > longest:
            return f"has a text of {len(part):,} characters; at most {longest:,} are taken"
        if "\0" in part:
            return "contains a null character"
        return None if is_writable(part) else "contains invalid Unicode (a lone surrogate)"
    if isinstance(part, Mapping | list) and len(part) > most_items:
        return f"has {len(part):,} items; at most {most_items:,} are taken"
    if isinstance(part, int) and abs(part) > LARGEST_WHOLE:
        return "has a whole number of more than 64 bits"
    if isinstance(part, float) and not math.isfinite(part):
        return "has a number that is not finite"
    return None


@cache
def _declared(model: type[BaseModel]) -> Mapping[str, tuple[int, int]]:
    """Return longest string and longest list by field: the default, or more where the field declares more."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    bounds = {}
    for name, field in schema.get("properties", {}).items():
        found = list(_lengths(field, definitions))
        bounds[name] = (
            max([LONGEST_STRING, *(most for keyword, most in found if keyword == "maxLength")]),
            max([MOST_ITEMS, *(most for keyword, most in found if keyword == "maxItems")]),
        )
    return bounds


def _lengths(schema: Any, definitions: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    if isinstance(schema, list):
        for part in schema:
            yield from _lengths(part, definitions)
    elif isinstance(schema, dict):
        for keyword, part in schema.items():
            if keyword in ("maxLength", "maxItems") and isinstance(part, int):
                yield keyword, part
            elif keyword == "$ref":
                named = part.rpartition("/")[2]
                others = {name: other for name, other in definitions.items() if name != named}  # it may name itself
                yield from _lengths(definitions.get(named), others)
            else:
                yield from _lengths(part, definitions)
