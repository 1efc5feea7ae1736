"""Clips of another tool's dataset, and the folders that their audio may lie in."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jobs.audio import AUDIO_SUFFIXES
from jobs.dataset.manifest import RejectionError
from jobs.errors import UserError
from jobs.files.reading import LONGEST_PATH, resolve_inside

MOST_CLIPS = 1_000_000  # of 2 s: 550 hours
MAX_SHOWN = 200  # characters of a name in a message
MAX_STEM = 80
_FROM_ROOT = re.compile(r"[A-Za-z]:[\\/]|[\\/]")


@dataclass(frozen=True)
class ForeignClip:
    """A clip of another tool's dataset.

    Attributes:
        number: its line or row; 1 is the first.
        audio_file: name of its audio, for people.
        sound: real path of its audio, or why there is none.
        reference: real path of the reference clip that its line names, or why there is none.
    """

    number: int
    audio_file: str
    sound: Path | RejectionError
    text: str
    speaker: str | None = None
    language: str | None = None
    instruct: str | None = None
    reference: Path | RejectionError | None = None


@dataclass(frozen=True)
class AudioFolders:
    """Folders that audio may lie in; what a manifest names elsewhere is not opened."""

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, *folders: Path | None) -> Self:
        """Take the real paths of folders, without those that are None."""
        return cls(tuple(Path(os.path.realpath(folder)) for folder in folders if folder is not None))

    def find(self, name: str) -> Path:
        """Return the real path of a file.

        Raises:
            RejectionError: ``path_outside``, ``audio_missing``, ``unreadable``.
        """
        for spelling in spellings(name):
            for folder in self.folders:
                path = resolve_inside(folder, spelling)
                if path is not None and os.path.isfile(path):  # noqa: PTH113 - False for a name that is too long
                    return path
        found = [path for folder in self.folders if (path := resolve_inside(folder, name)) is not None]
        shown = repr(name[:MAX_SHOWN])
        if "\0" in name or len(name) > LONGEST_PATH:
            raise RejectionError("unreadable", f"{shown} is no name of a file")
        if not found:
            raise RejectionError("path_outside", f"{shown} leads out of {', '.join(map(str, self.folders))}")
        try:
            path = next((path for path in found if path.exists()), None)
            if path is None:
                raise RejectionError("audio_missing", f"there is no file {str(found[0])[:MAX_SHOWN]}")
            if not path.is_file():
                raise RejectionError("unreadable", f"{path} is not a file")
        except OSError as error:  # a name too long for the file system
            raise RejectionError("unreadable", f"{shown}: {error.strerror}") from error
        return path

    def take(self, name: str) -> tuple[str, Path | RejectionError]:
        """Return a file's name, relative to its folder if it lies in one, and its real path or why there is none."""
        try:
            path = self.find(name)
        except RejectionError as error:
            return name[:MAX_SHOWN], error
        root = next((folder for folder in self.folders if path.is_relative_to(folder)), None)
        return name[:MAX_SHOWN] if root is None else path.relative_to(root).as_posix(), path


def spellings(name: str) -> Iterator[str]:
    """Give a name as it is; of a path of Windows or of another machine also its end, with and without its folder.

    Of a path within a folder that is not there, as in a dataset that was moved, its end with its folder.
    """
    yield name
    if len(name) > LONGEST_PATH:
        return
    parts = [part for part in re.split(r"[\\/]", name) if part]
    if ".." in parts:
        return
    if not _FROM_ROOT.match(name):
        yield "/".join(parts)
        if "\\" not in name:
            yield from ["/".join(parts[-2:])] if len(parts) > 2 else []
            return
    for n_last in (2, 1):
        if len(parts) > n_last - 1:
            yield "/".join(parts[-n_last:])


def made_name(number: int, name: str, suffix: str) -> str:
    """Make a plain file name of a clip's number and a stranger's name for it."""
    plain = "".join(character if character.isalnum() or character in "-_" else "_" for character in name)
    return f"{number:06d}-{plain[-MAX_STEM:] or 'clip'}{suffix if suffix in AUDIO_SUFFIXES else '.wav'}"


def unreadable(path: Path, layout: str, why: str) -> UserError:
    """Build the error for a dataset that does not have its layout."""
    return UserError(
        "dataset_unreadable",
        f"{path} cannot be read as a {layout} dataset: {why}.",
        "Write it again with that library, or give a JSONL of audio_file and text.",
    )


def leads_out(source: Path, name: str) -> UserError:
    """Build the error for a dataset that keeps a part of itself elsewhere."""
    return UserError(
        "path_outside_dataset",
        f"{source} names {name[:MAX_SHOWN]!r}, which leads out of the dataset's folder.",
        "Move the file into the dataset's folder.",
    )
