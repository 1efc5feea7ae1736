"""Parser of a transcripts file: lines with their audio file and the name of the clip to make, and rejected lines."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jobs.asr.model_registry import CODES, NAMES
from jobs.dataset.manifest import RejectionError
from jobs.ingest_clips.params import TranscriptLine

_SPEAKER = re.compile(r"[a-z][a-z0-9_-]{0,39}")
MAX_NAME = 80


@dataclass(frozen=True)
class RejectedLine:
    """A line that gives no clip, with the reason; ``duration_s`` is 0 when unknown."""

    number: int
    audio_file: str
    text: str
    reason: str
    detail: str
    duration_s: float = 0.0


@dataclass(frozen=True)
class ParsedLine:
    """A usable line, numbered from 1 in the transcripts file.

    ``audio_file`` is as written, ``path`` inside the audio folder, ``text`` stripped and on one line, ``speaker`` lower
    case, ``language`` a Qwen3-TTS language or ``auto``, ``clip_name`` unique in the dataset.
    """

    number: int
    audio_file: str
    path: Path
    text: str
    speaker: str
    language: str
    clip_name: str

    def reject(self, reason: str, detail: str, duration_s: float = 0.0) -> RejectedLine:
        """Return this line as rejected."""
        return RejectedLine(self.number, self.audio_file, self.text, reason, detail, duration_s)


def parse_lines(
    lines: Iterable[tuple[int, TranscriptLine]], audio_dir: Path, *, speaker: str, language: str
) -> tuple[list[ParsedLine], list[RejectedLine]]:
    """Separate usable lines from others by their content; no audio is read.

    Clip names depend on the file names and the order of the lines alone, so every run gives the same.
    """
    parsed: list[ParsedLine] = []
    rejected: list[RejectedLine] = []
    first_use: dict[Path, int] = {}
    names: set[str] = set()
    root = audio_dir.resolve()
    for number, line in lines:
        text = " ".join(unicodedata.normalize("NFC", line.text).split())
        try:
            path = _find_audio(root, line.audio_file)
            if path in first_use:
                raise RejectionError("duplicate_file", f"line {first_use[path]} names the same file")
            first_use[path] = number
            if not any(character.isalnum() for character in text):
                raise RejectionError("no_text", f"there are no words in {line.text!r}")
            line_speaker, line_language = _speaker(line.speaker or speaker), _language(line.language or language)
        except RejectionError as error:
            rejected.append(RejectedLine(number, line.audio_file, text, error.reason, error.detail))
            continue
        clip_name = _clip_name(line.audio_file, names)
        names.add(clip_name.lower())
        parsed.append(ParsedLine(number, line.audio_file, path, text, line_speaker, line_language, clip_name))
    return parsed, rejected


def _find_audio(root: Path, audio_file: str) -> Path:
    try:
        path = (root / audio_file).resolve()
        if not path.is_relative_to(root):
            raise RejectionError("path_outside", f"{audio_file!r} leads out of {root}")
        if not path.exists():
            raise RejectionError("audio_missing", f"there is no file {path}")
        if not path.is_file():
            raise RejectionError("unreadable", f"{path} is not a file")
    except (OSError, ValueError) as error:  # a name too long for the file system, or with a null character
        raise RejectionError("unreadable", f"{audio_file[:MAX_NAME]!r}: {error}") from error
    return path


def _speaker(name: str) -> str:
    if not _SPEAKER.fullmatch(name.strip().lower()):
        raise RejectionError(
            "speaker_unusable", f"{name!r}: a name is a letter, then at most 39 letters, digits, _ or -"
        )
    return name.strip().lower()


def _language(language: str) -> str:
    name = language.strip().lower()
    if name not in CODES and name not in NAMES and name != "auto":
        raise RejectionError("language_unknown", f"{language!r} is none of {', '.join(CODES)}")
    return NAMES.get(name, name)


def _clip_name(audio_file: str, taken: set[str]) -> str:
    """Make a plain file name of a path; the second clip of a name gets ``-2``. ``taken`` are names in lower case."""
    plain = unicodedata.normalize("NFKD", str(Path(audio_file).with_suffix(""))).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")[-MAX_NAME:] or "clip"
    name, copy = f"{stem}.wav", 1
    while name.lower() in taken:
        copy += 1
        name = f"{stem}-{copy}.wav"
    return name
