"""The same shared folders under other names on the nodes: prefixes replaced in texts and in JSON. stdlib only."""

import json
import os
from collections.abc import Mapping
from typing import Any

from jobs.errors import UserError
from jobs.files import atomic_io, records
from jobs.files.reading import read_bytes
from jobs.runner.paths import AttemptFolder


def map_text(text: str, prefixes: Mapping[str, str]) -> str:
    """Replace the longest prefix that is a whole path of folders."""
    for here in sorted(prefixes, key=len, reverse=True):
        start = here.rstrip("/")
        if text == start or text.startswith(start + "/"):
            return prefixes[here].rstrip("/") + text[len(start) :]
    return text


def map_variable(name: str, value: str, prefixes: Mapping[str, str]) -> str:
    """The same for a variable that our settings give to a child: of a list every part. ``:`` separates none of ours."""
    if name == "TTS_TRAIN_ROOTS":
        return json.dumps(map_json(json.loads(value), prefixes))
    if os.pathsep in value and value.startswith("/") and not name.startswith("TTS_TRAIN_"):
        return os.pathsep.join(map_text(part, prefixes) for part in value.split(os.pathsep))
    return map_text(value, prefixes)


def map_json(value: Any, prefixes: Mapping[str, str]) -> Any:
    """The same for every text in a JSON value; keys stay."""
    if isinstance(value, str):
        return map_text(value, prefixes)
    if isinstance(value, list):
        return [map_json(item, prefixes) for item in value]
    if isinstance(value, dict):
        return {key: map_json(item, prefixes) for key, item in value.items()}
    return value


def map_back(folder: AttemptFolder, prefixes: Mapping[str, str]) -> None:
    """Give the paths that a worker on a node has left their names here; doing it twice does no harm.

    Args:
        folder: of an attempt whose worker has ended.
        prefixes: from here to the nodes.
    """
    if not prefixes:
        return
    back = {there: here for here, there in prefixes.items()}
    result = records.read_record(folder.result)
    if result is not None:
        records.write_record(folder.result, map_json(result, back))
    try:
        content = read_bytes(folder.artifacts, records.LARGEST_BYTES).decode("utf-8", errors="replace")
    except (OSError, UserError):
        return
    text = "".join(_translated(line, back) for line in content.splitlines())
    atomic_io.write_bytes(folder.artifacts, text.encode(), mode=atomic_io.PRIVATE)


def _translated(line: str, back: Mapping[str, str]) -> str:
    try:
        return json.dumps(map_json(json.loads(line), back), ensure_ascii=False) + "\n"
    except (ValueError, RecursionError):
        return line + "\n"  # the torn last line of a worker that was killed
