"""Reference clip of each speaker, for the speaker embedding."""

import filecmp
import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jobs.audio import clip_io
from jobs.convert_codes.clip_loader import CodecClip, read_clip
from jobs.dataset.audio_roots import AudioRoots, name_from
from jobs.dataset.manifest import Clip, RejectionError, read_rows
from jobs.errors import UserError
from jobs.files.copying import copy_file
from jobs.files.folders import make_folder

logger = logging.getLogger(__name__)

REFERENCE_MIN_S = 3.0  # Qwen3-TTS needs at least 3 s of reference audio
REFERENCE_MAX_S = 10.0


Origin = Literal["kept", "speaker", "chosen", "unusable", "given", "replaced"]


@dataclass
class References:
    """Reference clip of every line, relative to the new manifest's folder, and the number of lines by origin.

    Attributes:
        by_line: by number of the line, from 0.
        origins: ``kept``: the line's own; ``speaker``: the first that another line of the speaker names; ``chosen``:
            the speaker's best clip; ``unusable``: one of these two, as the line's own cannot be read; ``given``: the
            argument's; ``replaced``: the argument's instead of the line's own.
    """

    by_line: dict[int, str] = field(default_factory=dict)
    origins: Counter[Origin] = field(default_factory=Counter)

    def add(self, number: int, path: str, origin: Origin) -> None:
        """Set the reference of a line."""
        self.by_line[number] = path
        self.origins[origin] += 1


def find_references(
    clips: Mapping[int, CodecClip], given: str | None, dataset: Path, manifest: Path, roots: AudioRoots
) -> References:
    """Find the reference of every usable line: its own, which is kept, unless ``given`` replaces it.

    A line without one takes its speaker's first, else the speaker's best clip. ``given`` from elsewhere is copied into
    the new manifest's folder. Raises ``UserError``: ``ref_audio_unusable``, ``path_outside_dataset``.
    """
    named = {
        number: roots.find(manifest, manifest.parent, row.ref_audio)
        for number, row in enumerate(read_rows(manifest, Clip))
        if number in clips and row.ref_audio
    }
    found = References()
    if given is not None:
        _check_given(given)
        name, real = path_inside(Path(given), dataset), Path(given).resolve()
        for number in clips:
            found.add(number, name, "replaced" if named.get(number, real) != real else "given")
        return found
    is_usable = {path: _is_readable(path) for path in set(named.values())}
    first: dict[str, Path] = {}
    for number, path in named.items():
        if is_usable[path]:
            first.setdefault(clips[number].speaker, path)
    best: dict[str, Path] = {}
    for number, clip in clips.items():
        own = named.get(number)
        if own is not None and is_usable[own]:
            found.add(number, name_from(dataset, own), "kept")
        elif clip.speaker in first:
            found.add(number, name_from(dataset, first[clip.speaker]), "unusable" if own else "speaker")
        else:
            if clip.speaker not in best:
                best[clip.speaker] = choose_reference(c for c in clips.values() if c.speaker == clip.speaker).path
            found.add(number, name_from(dataset, best[clip.speaker]), "unusable" if own else "chosen")
    return found


def _check_given(given: str) -> None:
    try:
        read_clip(Path(given))
    except RejectionError as error:
        raise UserError(
            "ref_audio_unusable", f"ref_audio {given}: {error.detail}", "Give a clean clip of 3 to 10 s."
        ) from error


def _is_readable(path: Path) -> bool:
    try:
        return clip_io.duration_s(path) > 0
    except (UserError, OSError) as error:
        logger.warning("the reference %s, which the manifest names, is not used: %s", path, error)
        return False


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
