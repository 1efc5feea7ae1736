"""JSON documents that anybody may have made: of bounded size and depth, with finite numbers. stdlib only."""

import json
import math
from pathlib import Path
from typing import Any

from jobs.files.reading import read_bytes

MOST_NESTED = 64
MOST_PARTS = 3_000_000  # an index of a book of 40,000 passages has 1.2 million, its commas in texts among them


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
        ValueError: as ``parse_json``; it is no object, is nested more than ``MOST_NESTED`` deep, or begins with a mark
            of its encoding, which the libraries that read such files refuse.
    """
    found = parse_json(content.decode())
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    left: list[tuple[Any, int]] = [(found, 1)]
    while left:
        value, depth = left.pop()
        if value and depth >= MOST_NESTED:
            raise ValueError("it is nested too deeply")
        inner = value.values() if isinstance(value, dict) else value
        left.extend((each, depth + 1) for each in inner if isinstance(each, dict | list))
    return found


def parse_json(content: bytes | str, most_parts: int = MOST_PARTS) -> Any:
    """Parse a JSON document.

    Raises:
        ValueError: it is none, is nested too deeply, has more than ``most_parts`` parts, or holds a number that is not
            finite or half a surrogate pair.
    """
    text = content if isinstance(content, str) else content.decode("utf-8-sig")
    if sum(map(text.count, ",[{")) > most_parts:  # each may take 60 times its bytes
        raise ValueError("it has too many parts")
    try:
        found = json.loads(text, parse_constant=_parse_finite, parse_float=_parse_finite)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is not a finite number")
    return number
