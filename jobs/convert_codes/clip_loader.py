"""Clips of a manifest for the codec: hashed, measured, read, and grouped into batches."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jobs.audio import clip_io
from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.manifest import LONGEST_READ_S, Clip, Rejection, RejectionError, Source
from jobs.errors import UserError
from jobs.files.reading import hash_file


@dataclass(frozen=True)
class CodecClip:
    """A line of the manifest (from 0) with facts of its audio.

    ``key`` is the SHA-256 of the audio file, ``word_score`` the mean of the words' scores, 0..1; 0 without words.
    """

    number: int
    path: Path
    key: str
    duration_s: float
    speaker: str
    is_training: bool
    word_score: float


@dataclass
class ManifestClips:
    """Clips of a manifest by line number: usable ones, and the rejections of others."""

    usable: dict[int, CodecClip] = field(default_factory=dict)
    rejected: dict[int, RejectionError] = field(default_factory=dict)

    def reject(self, clip: CodecClip, error: RejectionError) -> None:
        """Move a clip to the rejected ones."""
        del self.usable[clip.number]
        self.rejected[clip.number] = error


def inspect_clip(number: int, row: Clip, manifest: Path, roots: AudioRoots) -> CodecClip:
    """Hash the audio of a line and measure its length.

    Raises ``RejectionError``: no text, no file, or a file without audio. Raises ``UserError``:
    ``path_outside_dataset``.
    """
    path = roots.find(manifest, manifest.parent, row.audio)
    if not any(character.isalnum() for character in row.text):
        raise RejectionError("no_text", "A clip without text cannot be trained on.")
    try:
        key = hash_file(path)
        duration_s = clip_io.duration_s(path)
    except UserError as error:
        reason = "audio_unreadable" if error.code == "file_not_regular" else error.code
        raise RejectionError(reason, error.message) from error
    except FileNotFoundError as error:
        raise RejectionError("audio_missing", f"There is no file {path}.") from error
    except OSError as error:
        raise RejectionError("audio_unreadable", f"{path}: {error.strerror}") from error
    if duration_s > LONGEST_READ_S:
        raise RejectionError("too_long", f"{path} has {duration_s:.0f} s; at most {LONGEST_READ_S:.0f} s are read.")
    scores = [word.score for word in row.words or []]
    return CodecClip(
        number=number,
        path=path,
        key=key,
        duration_s=duration_s,
        speaker=row.speaker,
        is_training=row.split == "train",
        word_score=sum(scores) / len(scores) if scores else 0.0,
    )


def read_clip(path: Path) -> Samples:
    """Decode a clip of any format to float32 mono at 24 kHz.

    Raises ``RejectionError``: it cannot be decoded, is empty, or holds values that are not numbers.
    """
    try:
        samples = clip_io.read_clip(path, CLIP_RATE_HZ, longest_s=LONGEST_READ_S)
    except UserError as error:
        raise RejectionError(error.code, error.message) from error
    if not np.isfinite(samples).all():
        raise RejectionError("audio_not_finite", f"{path} has samples that are not numbers.")
    return samples


def batch_by_length(clips: Iterable[CodecClip], batch_s: float) -> Iterator[list[CodecClip]]:
    """Group clips of similar length, longest first, so that memory runs out at the start or never.

    A batch costs its longest clip times its number of clips, at most ``batch_s`` seconds; a longer clip is alone.
    """
    batch: list[CodecClip] = []
    for clip in sorted(clips, key=lambda found: (-found.duration_s, found.number)):
        if batch and batch[0].duration_s * (len(batch) + 1) > batch_s:
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def make_rejection(row: Clip, error: RejectionError) -> Rejection:
    """Return the rejection of a row; where the row names no source, the clip itself is the source."""
    source = row.source or Source(recording=row.audio, start_s=0.0, end_s=row.duration_s or 0.0)
    return Rejection(source=source, reason=error.reason, detail=error.detail, text=row.text)
