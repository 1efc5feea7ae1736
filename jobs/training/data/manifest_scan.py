"""What a coded manifest holds, found without reading its codes: ten thousand clips in well under two seconds. Light.

It is for plans and estimates; what a clip must be like is checked by ``clips.py``, in the worker.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.codec_format import FRAMES_PER_SECOND

FEWEST_TO_HOLD_OUT_OF = 20  # clips; of fewer none is held out unless the manifest says so

# Positions beside the frames: role and control ids (see ``jobs.qwen.train.sequence_layout``), and the text.
# Qwen's tokenizer takes about four characters of English a token; three leaves room for other languages.
CONTROL_POSITIONS = 11
CHARACTERS_PER_TOKEN = 3


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
        """Positions of its sequence, about."""
        return self.frames + CONTROL_POSITIONS + -(-self.n_characters // CHARACTERS_PER_TOKEN)


@dataclass
class Survey:
    """Sizes of a manifest's clips by split, speakers and languages.

    Attributes:
        train: clips to learn.
        validation: clips held out.
        speakers: clips of each speaker.
        languages: as the manifest calls them.
        n_unreadable: lines that are no JSON object with codes.
    """

    train: list[ClipSize] = field(default_factory=list)
    validation: list[ClipSize] = field(default_factory=list)
    speakers: dict[str, int] = field(default_factory=dict)
    languages: set[str] = field(default_factory=set)
    n_unreadable: int = 0


def survey(manifest: Path) -> Survey:
    """Look through a coded manifest."""
    found = Survey()
    for row in _rows(manifest):
        if row is None:
            found.n_unreadable += 1
            continue
        frames, clip = row
        size = ClipSize(frames, len(str(clip.get("text", "")).strip()))
        (found.validation if clip.get("split") == "validation" else found.train).append(size)
        speaker = str(clip.get("speaker", "speaker"))
        found.speakers[speaker] = found.speakers.get(speaker, 0) + 1
        found.languages.add(str(clip.get("language", "english")).strip().lower())
    return found


def _rows(manifest: Path) -> Iterator[tuple[int, dict[str, Any]] | None]:
    with manifest.open("rb") as stream:
        for line in stream:
            if line.strip():
                yield _without_codes(line)


def _without_codes(line: bytes) -> tuple[int, dict[str, Any]] | None:
    """Frames and fields of a line. The codes, nearly all of it, are counted and cut out before the rest is parsed."""
    start = line.find(b'"audio_codes": [[')
    end = line.find(b"]]", start)
    if 0 <= start < end:
        n_frames = line.count(b"[", start, end) - 1
        clip = _object(line[:start] + b'"audio_codes": null' + line[end + 2 :])
        if clip is not None:
            return n_frames, clip
    clip = _object(line)  # written by other hands
    codes = None if clip is None else clip.get("audio_codes")
    return (len(codes), clip) if clip is not None and isinstance(codes, list) and codes else None


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
