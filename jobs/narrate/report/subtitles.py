"""Subtitles of a narration: a cue for each passage."""

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysubs2

from jobs.files.atomic_io import write_text

SUBTITLES = ("book.srt", "book.vtt")
_NO_BRACES = str.maketrans("{}\\", "()/")


@dataclass(frozen=True)
class Cue:
    """A text and when it is spoken; seconds from the start of the audiobook."""

    text: str
    start_s: float
    end_s: float


def write_subtitles(folder: Path, cues: Sequence[Cue]) -> list[Path]:
    """Write ``book.srt`` and ``book.vtt``, and return their paths."""
    srt, vtt = (folder / name for name in SUBTITLES)
    write_text(srt, _make_file(cues, lambda text: text).to_string("srt"))
    write_text(vtt, _make_file(cues, lambda text: html.escape(text, quote=False)).to_string("vtt"))
    return [srt, vtt]


def _make_file(cues: Iterable[Cue], escape: Callable[[str], str]) -> pysubs2.SSAFile:
    found = pysubs2.SSAFile()
    for cue in cues:
        event = pysubs2.SSAEvent(start=pysubs2.make_time(s=cue.start_s), end=pysubs2.make_time(s=cue.end_s))
        # in both formats an arrow would begin a cue, and in that of pysubs2 braces hold commands
        event.plaintext = escape(cue.text.replace("-->", "→").translate(_NO_BRACES))
        found.append(event)
    return found
