"""Clips of a manifest for the codec: hashed, measured, read, grouped into batches; each speaker's reference clip."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jobs.audio import clip_io
from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.dataset.manifest import Clip, Rejection, RejectionError, Source, check_audio_inside, read_rows
from jobs.errors import UserError


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


def inspect_clip(number: int, row: Clip, manifest: Path) -> CodecClip:
    """Hash the audio of a line and measure its length.

    Raises ``RejectionError``: no text, no file, or a file without audio. Raises ``UserError``:
    ``path_outside_dataset``.
    """
    path = check_audio_inside(manifest, manifest.parent, row.audio)
    if not any(character.isalnum() for character in row.text):
        raise RejectionError("no_text", "A clip without text cannot be trained on.")
    try:
        duration_s = clip_io.duration_s(path)
    except UserError as error:
        raise RejectionError(error.code, error.message) from error
    with path.open("rb") as stream:
        key = hashlib.file_digest(stream, "sha256").hexdigest()
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
        samples = clip_io.read_clip(path, CLIP_RATE_HZ)
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


REFERENCE_MIN_S = 3.0  # Qwen3-TTS needs at least 3 s of reference audio
REFERENCE_MAX_S = 10.0


def find_references(clips: Iterable[CodecClip], chosen: str | None, dataset: Path, manifest: Path) -> Mapping[str, str]:
    """Return the reference clip of each speaker, relative to the dataset. A clip from elsewhere is copied into it.

    Without ``chosen`` it is the clip that the manifest names, if it is still among the clips, else the best one. Raises
    ``UserError``: ``ref_audio_unusable``.
    """
    by_speaker: dict[str, list[CodecClip]] = {}
    for clip in clips:
        by_speaker.setdefault(clip.speaker, []).append(clip)
    if chosen is None:
        named = _named_references(manifest)
        found = {
            speaker: next((clip for clip in own if clip.path == named.get(speaker)), None) or choose_reference(own)
            for speaker, own in by_speaker.items()
        }
        return {speaker: path_inside(clip.path, dataset) for speaker, clip in found.items()}
    try:
        read_clip(Path(chosen))
    except RejectionError as error:
        raise UserError(
            "ref_audio_unusable", f"ref_audio {chosen}: {error.detail}", "Give a clean clip of 3 to 10 s."
        ) from error
    return dict.fromkeys(by_speaker, path_inside(Path(chosen), dataset))


def _named_references(manifest: Path) -> dict[str, Path]:
    """Return the first reference that the manifest names for each speaker."""
    named: dict[str, Path] = {}
    for row in read_rows(manifest, Clip):
        if row.ref_audio is not None and row.speaker not in named:
            named[row.speaker] = check_audio_inside(manifest, manifest.parent, row.ref_audio)
    return named


def path_inside(path: Path, dataset: Path) -> str:
    """Return a path relative to the dataset; a file from elsewhere is copied into ``reference/``."""
    if path.resolve().is_relative_to(dataset.resolve()):
        return path.resolve().relative_to(dataset.resolve()).as_posix()
    copied = dataset / "reference" / path.name
    copied.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, copied)
    return copied.relative_to(dataset).as_posix()


def choose_reference(clips: Iterable[CodecClip]) -> CodecClip:
    """Choose the clip for a speaker's embedding.

    Clips of 3 to 10 s come before others, by their distance from this range; then training clips before held-out
    ones, then the highest word score, then the longest.
    """

    def rank(clip: CodecClip) -> tuple[float, bool, float, float, int]:
        misses_s = max(REFERENCE_MIN_S - clip.duration_s, clip.duration_s - REFERENCE_MAX_S, 0.0)
        return (-misses_s, clip.is_training, clip.word_score, clip.duration_s, -clip.number)

    return max(clips, key=rank)
