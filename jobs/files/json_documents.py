"""JSON objects that anybody may have made: of bounded size and depth, with finite numbers. stdlib only."""

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from jobs.files.reading import read_bytes

MOST_NESTED = 64


def read_object(path: Path, limit_bytes: int) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        UserError: ``file_not_regular``, ``file_too_large``.
        ValueError: it holds no JSON object within the bounds; the message says why.
        OSError: it is missing or may not be read.
    """
    return parse_object(read_bytes(path, limit_bytes))


def parse_object(content: bytes) -> dict[str, Any]:
    """Parse one JSON object.

    Raises:
        ValueError: no JSON object, nested more than ``MOST_NESTED`` deep, or a number that is not finite.
    """
    try:
        found = json.loads(content.decode(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    left: list[tuple[Any, int]] = [(found, 1)]
    while left:
        value, depth = left.pop()
        if depth > MOST_NESTED:
            raise ValueError("it is nested too deeply")
        if isinstance(value, dict):
            left.extend((each, depth + 1) for each in value.values())
        elif isinstance(value, list):
            left.extend((each, depth + 1) for each in value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a number is too large")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
