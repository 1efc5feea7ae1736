"""Parser of a transcripts file: lines with their audio file and the name of the clip to make, and rejected lines."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.asr.model_registry import CODES, NAMES
from jobs.dataset.exchange.foreign_clips import AudioFolders, ForeignClip
from jobs.dataset.manifest import LONGEST_TEXT, RejectionError
from jobs.files.reading import LONGEST_PATH
from jobs.ingest_clips.params import TranscriptLine

_SPEAKER = re.compile(r"[a-z][a-z0-9_-]{0,39}")
MAX_STEM = 80


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
    case, ``language`` a Qwen3-TTS language or ``auto``, ``clip_name`` unique in the dataset, ``reference`` the real
    path of the reference clip that the line names, or why there is none.
    """

    number: int
    audio_file: str
    path: Path
    text: str
    speaker: str
    language: str
    clip_name: str
    instruct: str | None = None
    names_language: bool = True
    reference: Path | RejectionError | None = None

    def reject(self, reason: str, detail: str, duration_s: float = 0.0) -> RejectedLine:
        """Return this line as rejected."""
        return RejectedLine(self.number, self.audio_file, self.text, reason, detail, duration_s)


def find_lines(
    lines: Iterable[tuple[int, TranscriptLine]], audio_dir: Path, transcripts_dir: Path | None = None
) -> Iterator[ForeignClip]:
    """Find the audio of numbered lines in a folder, their references also beside the transcripts."""
    folders, with_references = AudioFolders.of(audio_dir), AudioFolders.of(audio_dir, transcripts_dir)
    for number, line in lines:
        _, sound = folders.take(line.audio_file)
        reference = with_references.take(line.ref_audio)[1] if line.ref_audio else None
        yield ForeignClip(
            number, line.audio_file, sound, line.text, line.speaker, line.language, line.instruct, reference
        )


def parse_lines(
    lines: Iterable[ForeignClip], *, speaker: str, language: str
) -> tuple[list[ParsedLine], list[RejectedLine]]:
    """Separate usable lines from others by their content; no audio is read.

    Clip names depend on the file names and the order of the lines alone, so every run gives the same.
    """
    parsed: list[ParsedLine] = []
    rejected: list[RejectedLine] = []
    first_use: dict[Path, int] = {}
    names = _ClipNames()
    for line in lines:
        number, path = line.number, line.sound
        # normalising many combining characters takes time by their square
        text = " ".join(unicodedata.normalize("NFC", line.text[:LONGEST_TEXT]).split())
        try:
            if isinstance(path, RejectionError):
                raise path
            if path in first_use:
                raise RejectionError("duplicate_file", f"line {first_use[path]} names the same file")
            first_use[path] = number
            if max(len(line.text), len(text)) > LONGEST_TEXT:
                raise RejectionError("text_too_long", f"{len(line.text):,} characters; a clip has {LONGEST_TEXT:,}")
            if not any(character.isalnum() for character in text):
                raise RejectionError("no_text", f"there are no words in {text!r}")
            line_speaker, line_language = _speaker(line.speaker or speaker), _language(line.language or language)
        except RejectionError as error:
            rejected.append(RejectedLine(number, line.audio_file[:LONGEST_PATH], text, error.reason, error.detail))
            continue
        clip_name = names.make(line.audio_file)
        parsed.append(
            ParsedLine(
                number, line.audio_file, path, text, line_speaker, line_language, clip_name, line.instruct,
                names_language=bool(line.language), reference=line.reference,
            )
        )  # fmt: skip
    return parsed, rejected


def _speaker(name: str) -> str:
    if not _SPEAKER.fullmatch(name.strip().lower()):
        raise RejectionError(
            "speaker_unusable", f"{name[:MAX_STEM]!r}: a name is a letter, then at most 39 letters, digits, _ or -"
        )
    return name.strip().lower()


def _language(language: str) -> str:
    name = language.strip().lower()
    if name not in CODES and name not in NAMES and name != "auto":
        raise RejectionError("language_unknown", f"{language[:MAX_STEM]!r} is none of {', '.join(CODES)}")
    return NAMES.get(name, name)


class _ClipNames:
    """Plain file names, unique without regard to case; the second clip of a name gets ``-2``."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._copies: Counter[str] = Counter()

    def make(self, audio_file: str) -> str:
        plain = unicodedata.normalize("NFKD", str(Path(audio_file).with_suffix(""))).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")[-MAX_STEM:] or "clip"
        name = f"{stem}.wav"
        while name.lower() in self._taken:
            self._copies[stem.lower()] = max(2, self._copies[stem.lower()] + 1)
            name = f"{stem}-{self._copies[stem.lower()]}.wav"
        self._taken.add(name.lower())
        return name
