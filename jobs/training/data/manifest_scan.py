"""Sizes of a coded manifest's clips, read without their codes: ten thousand clips in under two seconds, without torch.

For plans and estimates. ``manifest_reader`` checks the clips, in the worker.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.dataset.manifest import MAX_NAME, name_language
from jobs.dataset.split import SplitRow, split
from jobs.files.reading import read_lines
from jobs.param_types import AUTO

# Positions in addition to the frames: role, control ids (see ``jobs.qwen.train.sequence_layout``) and text.
# Qwen's tokenizer has about four characters of English per token; three is an upper estimate for other languages.
CONTROL_POSITIONS = 11
CHARACTERS_PER_TOKEN = 3
INSTRUCT_POSITIONS = 5  # <|im_start|>user\n and <|im_end|>\n


def n_instruct_characters(instruct: str) -> int:
    """Return how many characters of a text an instruct counts as, with its own control positions."""
    return len(instruct) + CHARACTERS_PER_TOKEN * INSTRUCT_POSITIONS if instruct.strip() else 0


@dataclass(frozen=True)
class ClipSize:
    """Size of a clip: codec frames and characters of its text."""

    frames: int
    n_characters: int

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return self.frames / FRAMES_PER_SECOND

    @property
    def length(self) -> int:
        """Estimated positions of its sequence."""
        return self.frames + CONTROL_POSITIONS + -(-self.n_characters // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True)
class ScannedClip:
    """Fields of one line that decide size and split."""

    size: ClipSize
    row: SplitRow
    is_validation: bool
    language: str = AUTO


@dataclass
class ManifestScan:
    """Clips of a manifest.

    Attributes:
        n_unreadable: lines that are not JSON objects with codes.
    """

    clips: list[ScannedClip] = field(default_factory=list)
    languages: set[str] = field(default_factory=set)
    n_unreadable: int = 0

    @property
    def speakers(self) -> dict[str, int]:
        """Number of clips of each speaker."""
        return dict(Counter(clip.row.speaker for clip in self.clips))


def scan_manifest(manifest: Path) -> ManifestScan:
    """Scan a coded manifest."""
    found = ManifestScan()
    for line in _read_lines(manifest):
        if line is None:
            found.n_unreadable += 1
            continue
        frames, clip = line
        text = _string(clip, "text", "").strip()
        source = clip.get("source")
        is_part = isinstance(source, dict) and clip.get("transcript") != "curated"
        chapter = (_string(source, "recording", ""), _integer(source, "chapter")) if is_part and source else None
        row = SplitRow(_string(clip, "speaker", "speaker")[:MAX_NAME], text, frames / FRAMES_PER_SECOND, chapter)
        n_characters = len(text) + n_instruct_characters(_string(clip, "instruct", ""))
        language = name_language(_string(clip, "language", ""))[:MAX_NAME]
        is_validation = clip.get("split") == "validation"
        found.clips.append(ScannedClip(ClipSize(frames, n_characters), row, is_validation, language))
        found.languages.add(language)
    return found


def divide(clips: list[ScannedClip], validation_share: float) -> tuple[list[ScannedClip], list[ScannedClip]]:
    """Divide clips into training and validation as the worker does: by the manifest, else by ``split``."""
    held_out = [clip.is_validation for clip in clips]
    if not any(held_out):
        held_out = [answer == "validation" for answer in split([clip.row for clip in clips], validation_share)]
    pairs = list(zip(clips, held_out, strict=True))
    return [clip for clip, is_out in pairs if not is_out], [clip for clip, is_out in pairs if is_out]


def voice_name(speaker: str) -> str:
    """Make a name that upstream qwen_tts can look up: lower case, no spaces."""
    name = re.sub(r"[^a-z0-9_-]+", "-", speaker.lower()).strip("-_")[:40]
    return name if re.match(r"[a-z]", name) else f"speaker-{name}".rstrip("-")


def _read_lines(manifest: Path) -> Iterator[tuple[int, dict[str, Any]] | None]:
    for line in read_lines(manifest):
        if line.strip():
            yield _parse_without_codes(line)


def _parse_without_codes(line: bytes) -> tuple[int, dict[str, Any]] | None:
    """Return frames and fields of a line. The codes, most of its bytes, are counted and cut out before it is parsed."""
    start = line.find(b'"audio_codes": [[')
    end = line.find(b"]]", start)
    if 0 <= start < end:
        n_frames = line.count(b"[", start, end) - 1
        clip = _parse_object(line[:start] + b'"audio_codes": null' + line[end + 2 :])
        if clip is not None:
            return n_frames, clip
    clip = _parse_object(line)  # not written by convert_codes
    codes = None if clip is None else clip.get("audio_codes")
    return (len(codes), clip) if clip is not None and isinstance(codes, list) and codes else None


def _string(fields: dict[str, Any], name: str, otherwise: str) -> str:
    value = fields.get(name, otherwise)
    return value if isinstance(value, str) else otherwise


def _integer(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) else None


def _parse_object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
