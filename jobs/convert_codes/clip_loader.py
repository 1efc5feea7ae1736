"""The clips of a manifest as this step needs them: found, hashed, measured, read at the tokenizer's rate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.audio import clip_io
from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.dataset.manifest import Clip, Rejection, Source, check_audio_inside
from jobs.dataset.rejected import Rejected
from jobs.errors import UserError

REFERENCE_MIN_S = 3.0  # Qwen3-TTS asks for at least 3 s of reference audio
REFERENCE_MAX_S = 10.0


@dataclass(frozen=True)
class FoundClip:
    """One line of the manifest with what is known of its audio.

    Attributes:
        number: line of the manifest, the first is 0.
        path: its audio.
        key: SHA-256 of the audio file.
        duration_s: length of the audio.
        speaker: whose voice.
        is_training: not held out for validation.
        word_score: mean of the words' scores, 0..1; 0 without words.
    """

    number: int
    path: Path
    key: str
    duration_s: float
    speaker: str
    is_training: bool
    word_score: float


def find_clip(number: int, row: Clip, manifest: Path) -> FoundClip:
    """Look at a line's audio: hash the file, measure its length.

    Raises:
        Rejected: no text, no file, or no audio in it.
        UserError: ``path_outside_dataset``.
    """
    path = check_audio_inside(manifest, manifest.parent, row.audio)
    if not any(character.isalnum() for character in row.text):
        raise Rejected("no_text", "A clip without text cannot be trained on.")
    try:
        duration_s = clip_io.duration_s(path)
    except UserError as error:
        raise Rejected(error.code, error.message) from error
    with path.open("rb") as stream:
        key = hashlib.file_digest(stream, "sha256").hexdigest()
    scores = [word.score for word in row.words or []]
    return FoundClip(
        number=number,
        path=path,
        key=key,
        duration_s=duration_s,
        speaker=row.speaker,
        is_training=row.split == "train",
        word_score=sum(scores) / len(scores) if scores else 0.0,
    )


def read_clip(path: Path) -> Samples:
    """Decode a clip: float32 mono at 24 kHz, whatever it was.

    Raises:
        Rejected: it cannot be decoded, is empty, or holds values that are not numbers.
    """
    try:
        samples = clip_io.read_clip(path, CLIP_RATE_HZ)
    except UserError as error:
        raise Rejected(error.code, error.message) from error
    if not np.isfinite(samples).all():
        raise Rejected("audio_not_finite", f"{path} holds samples that are not numbers.")
    return samples


def batches(clips: Iterable[FoundClip], batch_s: float) -> Iterator[list[FoundClip]]:
    """Group clips of like length, longest first, so that memory runs out at the start or never.

    A batch costs its longest clip times its number of clips, at most ``batch_s`` seconds; a longer clip goes alone.
    """
    batch: list[FoundClip] = []
    for clip in sorted(clips, key=lambda found: (-found.duration_s, found.number)):
        if batch and batch[0].duration_s * (len(batch) + 1) > batch_s:
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def best_reference(clips: Iterable[FoundClip]) -> FoundClip:
    """Choose the clip from which a speaker's embedding is made.

    Of the clips of 3 to 10 s, training ones before held-out ones, the one whose words were aligned most surely,
    then the longest. If no clip is of that length, of those that come nearest to it.
    """

    def rank(clip: FoundClip) -> tuple[float, bool, float, float, int]:
        misses_s = max(REFERENCE_MIN_S - clip.duration_s, clip.duration_s - REFERENCE_MAX_S, 0.0)
        return (-misses_s, clip.is_training, clip.word_score, clip.duration_s, -clip.number)

    return max(clips, key=rank)


def rejection(row: Clip, error: Rejected) -> Rejection:
    """The line that says why a clip was left out; where the row names no source, the clip is its own."""
    source = row.source or Source(recording=row.audio, start_s=0.0, end_s=row.duration_s or 0.0)
    return Rejection(source=source, reason=error.reason, detail=error.detail, text=row.text)
