"""Folders in which the clips of a manifest may lie, and the names that a manifest gives them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.files.reading import resolve_inside
from jobs.settings import Settings
from jobs.trust.home import is_of_home_itself


@dataclass(frozen=True)
class AudioRoots:
    """Folders in which a manifest's audio may lie beside its own folder, also by a link.

    Attributes:
        roots: real paths; none: a manifest names audio in its own folder only, as ``takes.jsonl`` does.
        home: whose own files, settings and keys, are no audio.
    """

    roots: Sequence[Path] = ()
    home: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "AudioRoots":
        """Return the folders that the caller's tools may use."""
        return cls(settings.roots, settings.home)

    def find(self, manifest: Path, folder: Path, audio: str) -> Path:
        """Return the real path of a line's audio, whether or not it is there.

        Args:
            manifest: for the message.
            folder: that ``audio`` is relative to.
            audio: as the line names it, relative or absolute.

        Raises:
            UserError: ``path_outside_dataset``.
        """
        inside = resolve_inside(folder, audio)
        if inside is not None:
            return inside
        if "\0" not in audio:
            path = Path(os.path.realpath(Path(folder, audio)))
            is_private = self.home is not None and is_of_home_itself(path, self.home)
            if not is_private and any(path.is_relative_to(root) for root in self.roots):
                return path
        raise UserError(
            "path_outside_dataset",
            f"{manifest} names {audio!r}, which leads out of the dataset's folder {folder}"
            + (" and of the folders that tools may use." if self.roots else "."),
            "Move the audio into the dataset's folder"
            + (", or add its folder to TTS_TRAIN_ROOTS." if self.roots else " and name it relative to that folder."),
        )

    def find_once(self, manifest: Path, names: Sequence[str]) -> list[Path]:
        """Return the real paths of the audio of all lines, of which a copy is about to be written for each.

        Raises:
            UserError: ``path_outside_dataset``; ``clip_repeated``: two lines name one file, so that a small dataset
                would fill the disk.
        """
        found: dict[Path, str] = {}
        for number, audio in enumerate(names, 1):
            path = self.find(manifest, manifest.parent, audio)
            if path in found:
                raise UserError(
                    "clip_repeated",
                    f"Line {number} of {manifest} names {audio[:200]!r}, as an earlier line does.",
                    "Take one of the two lines out.",
                )
            found[path] = audio
        return list(found)


OWN_FOLDER = AudioRoots()
"""No folder beside the manifest's own."""


def name_from(folder: Path, path: Path) -> str:
    """Return how a manifest in a folder names a file: relative where it lies below, by a link too, else absolute."""
    real = os.path.realpath(path)
    for written, base in ((os.path.abspath(path), os.path.abspath(folder)), (real, os.path.realpath(folder))):  # noqa: PTH100
        if Path(written).is_relative_to(base) and os.path.realpath(written) == real:
            return Path(written).relative_to(base).as_posix()
    return real
