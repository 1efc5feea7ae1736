"""The transcripts file: which line names which audio, what its clip will be called, and which lines are no good."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jobs.asr.languages import CODES, NAMES
from jobs.ingest_clips.params import TranscriptLine

_SPEAKER = re.compile(r"[a-z][a-z0-9_-]{0,39}")
MAX_NAME = 80


@dataclass(frozen=True)
class Line:
    """A usable line.

    Attributes:
        number: in the transcripts file, 1 is the first.
        audio_file: as written.
        path: of the audio, inside the audio folder.
        text: on one line, without spaces around it.
        speaker: lower case.
        language: name of a language that Qwen3-TTS speaks, or ``auto``.
        clip_name: file name of the clip to make, the only one of that name.
    """

    number: int
    audio_file: str
    path: Path
    text: str
    speaker: str
    language: str
    clip_name: str


@dataclass(frozen=True)
class BadLine:
    """A line whose audio is not looked at, or is no good; ``duration_s`` is 0 when unknown."""

    number: int
    audio_file: str
    text: str
    reason: str
    detail: str
    duration_s: float = 0.0


def sort_lines(
    lines: Iterable[tuple[int, TranscriptLine]], audio_dir: Path, *, speaker: str, language: str
) -> tuple[list[Line], list[BadLine]]:
    """Tell usable lines from others by what they say; no audio is read.

    Clip names come from the file names and the order of the lines alone, so that every run gives the same.

    Args:
        lines: of the transcripts file, in order, with their numbers.
        audio_dir: that ``audio_file`` is relative to, and must not leave.
        speaker: of lines that name none.
        language: of lines that name none.
    """
    good: list[Line] = []
    bad: list[BadLine] = []
    first_use: dict[Path, int] = {}
    names: set[str] = set()
    root = audio_dir.resolve()
    for number, line in lines:
        text = " ".join(unicodedata.normalize("NFC", line.text).split())
        try:
            path = _find(root, line.audio_file)
            if path in first_use:
                raise _Bad("duplicate_file", f"line {first_use[path]} names the same file")
            first_use[path] = number
            if not any(character.isalnum() for character in text):
                raise _Bad("no_text", f"there are no words in {line.text!r}")
            spoken_by, spoken_in = _speaker(line.speaker or speaker), _language(line.language or language)
        except _Bad as problem:
            bad.append(BadLine(number, line.audio_file, text, problem.reason, problem.detail))
            continue
        clip_name = _clip_name(line.audio_file, names)
        names.add(clip_name)
        good.append(Line(number, line.audio_file, path, text, spoken_by, spoken_in, clip_name))
    return good, bad


class _Bad(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def _find(root: Path, audio_file: str) -> Path:
    try:
        path = (root / audio_file).resolve()
        if not path.is_relative_to(root):
            raise _Bad("path_outside", f"{audio_file!r} leads out of {root}")
        if not path.exists():
            raise _Bad("audio_missing", f"there is no file {path}")
        if not path.is_file():
            raise _Bad("unreadable", f"{path} is no file")
    except (OSError, ValueError) as error:  # a name too long for the file system, or with a null character
        raise _Bad("unreadable", f"{audio_file[:MAX_NAME]!r}: {error}") from error
    return path


def _speaker(name: str) -> str:
    if not _SPEAKER.fullmatch(name.strip().lower()):
        raise _Bad("speaker_unusable", f"{name!r}: a name is a letter, then letters, digits, _ or -, 40 at most")
    return name.strip().lower()


def _language(language: str) -> str:
    name = language.strip().lower()
    if name not in CODES and name not in NAMES and name != "auto":
        raise _Bad("language_unknown", f"{language!r} is none of {', '.join(CODES)}")
    return NAMES.get(name, name)


def _clip_name(audio_file: str, taken: set[str]) -> str:
    """A plain file name made of the path; the second of a name gets ``-2``."""
    plain = unicodedata.normalize("NFKD", str(Path(audio_file).with_suffix(""))).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")[-MAX_NAME:] or "clip"
    name, copy = f"{stem}.wav", 1
    while name.lower() in {other.lower() for other in taken}:
        copy += 1
        name = f"{stem}-{copy}.wav"
    return name
