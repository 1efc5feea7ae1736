"""Hostile JSONL files: manifests, takes and ratings with long lines, deep nesting, absurd numbers and very many faults.

Each is a file that ``read_rows`` and its like must refuse, or read, in bounded time and memory.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Builder = Callable[[Path], Path]
NAME = "manifest.jsonl"
SPARSE_BYTES = 3_000_000_000
CLIP = {"audio": "clips/a.wav", "text": "Some words.", "duration_s": 1.0}


def of_line(*lines: str | bytes) -> Builder:
    """Return the builder of a file with these lines."""

    def build(folder: Path) -> Path:
        path = folder / NAME
        path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
        return path

    return build


def of_clip(**fields: Any) -> Builder:
    """Return the builder of one clip with these fields; a string that begins with ``!`` is written as it is."""
    raw = {name: value[1:] for name, value in fields.items() if isinstance(value, str) and value.startswith("!")}
    line = json.dumps(CLIP | {name: f"<{name}>" if name in raw else value for name, value in fields.items()})
    for name, text in raw.items():
        line = line.replace(f'"<{name}>"', text)
    return of_line(line)


def sparse_line(folder: Path) -> Path:
    """Write a file of 3 GB that takes no space and is one line."""
    path = folder / NAME
    with path.open("wb") as stream:
        stream.truncate(SPARSE_BYTES)
    return path


def pipe(folder: Path) -> Path:
    """Make a pipe that nothing writes to."""
    path = folder / NAME
    os.mkfifo(path)
    return path


def device(folder: Path) -> Path:
    """Make a link to a device that never ends."""
    path = folder / NAME
    path.symlink_to("/dev/zero")
    return path


REFUSED: dict[str, Builder] = {
    "a sparse line": sparse_line,
    "a pipe": pipe,
    "a device": device,
    "deep lists": of_clip(x="!" + "[" * 100_000 + "]" * 100_000),
    "deep objects": of_clip(x="!" + '{"a":' * 100_000),
    "deep codes": of_clip(audio_codes="!" + "[" * 500 + "]" * 500),
    "a duration beyond floats": of_clip(duration_s="!1e400"),
    "a duration of 5,000 digits": of_clip(duration_s="!" + "9" * 5_000),
    "no number": of_clip(duration_s="!NaN"),
    "minus infinity": of_clip(duration_s="!-Infinity"),
    "a negative duration": of_clip(duration_s=-1.0),
    "an endless duration": of_clip(duration_s=1e308),
    "a source beyond floats": of_clip(source="!" + '{"recording": "a", "start_s": -1e400, "end_s": 1}'),
    "a chapter of 400 digits": of_clip(
        source="!" + '{"recording": "a", "start_s": 0, "end_s": 1, "chapter": ' + "9" * 400 + "}"
    ),
    "a quality that is no number": of_clip(quality="!" + '{"snr_db": NaN}'),
    "a word without a time": of_clip(words="!" + '[{"word": "a", "start_s": NaN, "end_s": 1, "score": 1}]'),
    "ten million frames": of_clip(audio_codes="!" + "[" + "[]," * 10_000_000 + "[]]"),
    "many broken words": of_clip(words="!" + "[" + "{}," * 600_000 + "{}]"),
    "many broken codes": of_clip(audio_codes="!" + "[[" + '"a",' * 450_000 + "1]]"),
    "many broken qualities": of_clip(quality={f"a{number}": "" for number in range(120_000)}),
    "a long text": of_clip(text="a" * 1_900_000),
    "a long name": of_clip(audio="a" * 1_900_000),
    "half a surrogate pair": of_clip(text="!" + '"\\ud800"'),
    "half a surrogate pair in bytes": of_line(b'{"audio": "a.wav", "text": "\xed\xa0\x80"}'),
    "no UTF-8": of_line(b"\xff\xfe\x00"),
    "a list": of_line("[]"),
    "zeros": of_line(b"\0" * 1_000),
}  # fmt: skip

BUILDERS: dict[str, Builder] = REFUSED | {"many objects": of_clip(x="!" + "[" + "{}," * 600_000 + "{}]")}
"""With those that are read: fields of other tools are not judged."""
