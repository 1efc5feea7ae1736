"""Files of a published dataset, in the layout that ``datasets.load_dataset`` reads from a folder of audio.

README.md
train/metadata.jsonl, train/000/000001.wav, …      validation/…
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.manifest import Clip, read_rows
from jobs.errors import UserError
from jobs.publish_dataset.params import Params
from jobs.publishing.cleaning import clean_text
from jobs.settings import Settings

README = "README.md"
METADATA = "metadata.jsonl"
PUBLISHED = "published"
SPLITS = ("train", "validation")
IN_FOLDER = 1000  # the Hub takes 10,000 files of a folder


@dataclass(frozen=True)
class PublishedClip:
    """A clip, its file, and the place of the copy.

    Attributes:
        clip: the line of the manifest.
        source: its sound.
        name: path in the folder or repository.
    """

    clip: Clip
    source: Path
    name: str

    def describe(self, sha256: str) -> dict[str, Any]:
        """Return the line of ``metadata.jsonl``: what is of the recording and this machine is left out."""
        clip = self.clip
        described = {
            "file_name": self.name.split("/", 1)[1],
            "text": clip.text,
            "speaker": clean_text(clip.speaker),
            "language": clip.language,
            "duration_s": clip.duration_s,
            "chapter": clip.source.chapter if clip.source else None,
            "transcript": clip.transcript,
            "sha256": sha256,
        }
        return described | ({"instruct": clip.instruct} if clip.instruct is not None else {})


def find_folder(params: Params) -> Path:
    """Return the folder that a publication is written to."""
    return Path(params.out_dir) if params.out_dir else Path(params.manifest).parent / PUBLISHED


def refuse_inside(clips: Iterable[PublishedClip], folder: Path) -> None:
    """Check that no clip lies in the folder that is about to be written: it would be deleted or written over.

    Raises:
        UserError: ``output_is_input``.
    """
    written = Path(os.path.realpath(folder))
    inside = next((one.source for one in clips if one.source.is_relative_to(written)), None)
    if inside is not None:
        raise UserError(
            "output_is_input",
            f"The manifest names {inside}, which lies in the folder of the publication, {folder}.",
            "Give another out_dir, or the manifest of the dataset itself.",
        )


def list_clips(manifest: Path, settings: Settings) -> list[PublishedClip]:
    """List the clips of a manifest by split, numbered anew in their order.

    Raises:
        UserError: ``path_outside_dataset``, ``clip_repeated``, those of the manifest.
    """
    clips = list(read_rows(manifest, Clip))
    sources = AudioRoots.of(settings).find_once(manifest, [clip.audio for clip in clips])
    return list(_named(zip(clips, sources, strict=True)))


def _named(clips: Iterable[tuple[Clip, Path]]) -> Iterator[PublishedClip]:
    numbers = dict.fromkeys(SPLITS, 0)
    for clip, source in clips:
        numbers[clip.split] += 1
        number = numbers[clip.split]
        yield PublishedClip(clip, source, f"{clip.split}/{number // IN_FOLDER:03}/{number:06}.wav")
