"""Reference clip of each speaker, for the speaker embedding."""

import filecmp
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from jobs.convert_codes.clip_loader import CodecClip, read_clip
from jobs.dataset.manifest import Clip, RejectionError, check_audio_inside, read_rows
from jobs.errors import UserError
from jobs.files.copying import copy_file
from jobs.files.folders import make_folder

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
    make_folder(copied.parent)
    if copied.exists() and not filecmp.cmp(path, copied, shallow=False):  # another clip of this name
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        copied = copied.with_name(f"{path.stem}-{digest[:8]}{path.suffix}")
    copy_file(path, copied)
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
