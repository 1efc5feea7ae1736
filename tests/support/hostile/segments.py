"""Hostile subtitles and segments: brackets and tags without end, deep JSON, and numbers that no recording has."""

import os
from collections.abc import Callable
from pathlib import Path

Builder = Callable[[Path], Path]
TIMES = "00:00:01,000 --> 00:00:03,500\n"


def of_cue(text: str) -> Builder:
    """Return the builder of subtitles with one cue."""

    def build(folder: Path) -> Path:
        path = folder / "a.srt"
        path.write_text("1\n" + TIMES + text + "\n")
        return path

    return build


def of_lines(*lines: str) -> Builder:
    """Return the builder of a JSONL file."""

    def build(folder: Path) -> Path:
        path = folder / "segments.jsonl"
        path.write_text("\n".join(lines) + "\n")
        return path

    return build


def of_sparse_line(folder: Path) -> Path:
    """Write a sparse file of 3 GB."""
    path = folder / "segments.jsonl"
    with path.open("wb") as stream:
        stream.truncate(3_000_000_000)
    return path


def pipe(folder: Path) -> Path:
    """Make a pipe without a writer."""
    path = folder / "segments.jsonl"
    os.mkfifo(path)
    return path


BUILDERS: dict[str, Builder] = {
    "square brackets": of_cue("[" * 200_000),
    "round brackets": of_cue("(" * 200_000),
    "braces": of_cue("{" * 200_000),
    "angle brackets": of_cue("<a" * 100_000),
    "angle brackets and spaces": of_cue("<" + " " * 200_000),
    "closing tags": of_cue("< /" * 70_000),
    "line ends": of_cue("a" + "\n" * 200_000 + "a"),
    "spaces and line ends": of_cue("a" + "\n " * 100_000 + "a"),
    "numbers": of_cue("a\n" + "1" * 200_000 + "a"),
    "cues": of_cue(("a\n" + TIMES) * 20_000),
    "late": of_cue("a\n99:99:99,999 --> 99:99:99,999\nb"),
    "deep lists": of_lines('{"start": 1, "end": 2, "text": "a", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    "a time of 400 digits": of_lines('{"start": 1, "end": ' + "9" * 400 + ', "text": "a"}'),
    "a time of 5,000 digits": of_lines('{"start": 1, "end": ' + "9" * 5_000 + ', "text": "a"}'),
    "an endless time": of_lines('{"start": 1, "end": 1e308, "text": "a"}', '{"start": -1e308, "end": 2, "text": "a"}'),
    "a long line": of_lines('{"start": 1, "end": 2, "text": "' + "a" * 3_000_000 + '"}'),
    "a lone surrogate": of_lines('{"start": 1, "end": 2, "text": "\\ud800"}'),
    "a sparse line": of_sparse_line,
    "pipe": pipe,
}
