"""What is read: one file, or the files of a folder in natural order, with the chapters of all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from natsort import natsort_keygen, ns

from jobs.audio.recording import Chapter, Recording, RecordingInfo
from jobs.errors import UserError
from jobs.ingest_audiobook.input.work_units import Selection, Unit, plan_units
from jobs.ingest_audiobook.params import AUDIO_SUFFIXES, Params

NARROW_HZ = 16_000  # clips are 24 kHz: a source of less lacks what a voice has above half of this
MAX_NAMED = 5
# Suffixes by libavformat's name of the format; others are not spoken of.
SUFFIXES = {
    "mov": {".m4b", ".m4a", ".mp4", ".mov", ".aax"},
    "mp3": {".mp3"},
    "aac": {".aac"},
    "flac": {".flac"},
    "ogg": {".ogg", ".oga", ".opus"},
    "wav": {".wav"},
    "matroska": {".mkv", ".mka", ".webm"},
}


@dataclass(frozen=True)
class Book:
    """The recordings of a book.

    Attributes:
        recordings: in order.
        names: of the recordings, as manifests tell them: relative to the folder that was given.
        info: of the whole; its chapters are those of all recordings, the first is number 1.
        chapter_numbers: numbers of each recording's chapters.
        notes: what people should know of the input.
    """

    recordings: tuple[Recording, ...]
    names: tuple[str, ...]
    info: RecordingInfo
    chapter_numbers: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def chapter_titles(self) -> dict[tuple[str, int], str]:
        """By the recording's name and the chapter's number in the book."""
        return {
            (name, number): self.info.chapters[number - 1].title
            for name, numbers in zip(self.names, self.chapter_numbers, strict=True)
            for number in numbers
        }


def open_book(audio: Path, roots: Sequence[Path] | None = None) -> Book:
    """Read the containers of a recording or a folder of recordings.

    Args:
        audio: file or folder.
        roots: where links in the folder may lead; None: anywhere.

    Raises:
        UserError: those of ``Recording``, ``audio_missing`` for a folder without audio, ``path_outside_roots``.
    """
    paths, ignored = _files(audio, roots) if audio.is_dir() else ([audio], [])
    recordings = tuple(Recording(path) for path in paths)
    names = tuple(path.relative_to(audio).as_posix() if audio.is_dir() else path.name for path in paths)
    notes = [note for recording, name in zip(recordings, names, strict=True) for note in _notes(recording.info, name)]
    if ignored:
        more = f" and {len(ignored) - MAX_NAMED} more" if len(ignored) > MAX_NAMED else ""
        notes.append(f"Ignored, not audio by name: {', '.join(map(repr, ignored[:MAX_NAMED]))}{more}.")
    info, numbers = _whole(recordings, names, is_folder=audio.is_dir())
    return Book(recordings, names, info, numbers, tuple(notes))


def selected_units(book: Book, params: Params) -> list[Unit]:
    """The units of what was selected.

    Raises:
        UserError: ``chapter_unknown``, ``selection_unclear``, ``selection_empty``.
    """
    n_chapters = len(book.info.chapters)
    chapters = parse_chapters(params.chapters, n_chapters) if params.chapters else None
    if len(book.recordings) > 1 and (params.start_s is not None or params.end_s is not None):
        raise UserError(
            "selection_unclear",
            f"start_s and end_s mean one recording, but there are {len(book.recordings)}.",
            "Give chapters instead: every file is one or more of them.",
        )
    selection = Selection(chapters, params.start_s, params.end_s, params.max_duration_s)
    units = plan_units([recording.info for recording in book.recordings], book.chapter_numbers, selection)
    if not units:
        raise UserError(
            "selection_empty",
            f"Nothing of {book.names[0]} lies within chapters={params.chapters!r}, start_s={params.start_s}, "
            f"end_s={params.end_s}.",
            "Look at the chapters with dry_run.",
        )
    return units


def parse_chapters(text: str, n_chapters: int) -> frozenset[int]:
    """Numbers of ``"1,3-5"``.

    Raises:
        UserError: ``chapter_unknown``.
    """
    found: set[int] = set()
    for word in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", word)
        if match is None:
            raise _unknown(f"chapters={text!r} is no list of numbers and ranges", n_chapters)
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= n_chapters:
            raise _unknown(f"chapters={text!r} names {word.strip()}", n_chapters)
        found.update(range(first, last + 1))
    return frozenset(found)


def check_chapters(numbers: Sequence[int], book: Book) -> None:
    """Refuse chapters to hold out that there are not.

    Raises:
        UserError: ``chapter_unknown``.
    """
    unknown = [number for number in numbers if not 1 <= number <= len(book.info.chapters)]
    if unknown:
        raise _unknown(f"validation_chapters names {unknown}", len(book.info.chapters))


def _unknown(what: str, n_chapters: int) -> UserError:
    return UserError(
        "chapter_unknown",
        f"{what}, but the recording has {n_chapters} chapters.",
        "Give numbers from 1 to that, e.g. 2-5,8; dry_run lists them." if n_chapters else "Leave it out.",
    )


def _files(folder: Path, roots: Sequence[Path] | None) -> tuple[list[Path], list[str]]:
    """Audio files below a folder in natural order, and the names of the others; hidden ones are not there."""
    audio: list[Path] = []
    ignored: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent) / name
            if name.startswith("."):
                continue
            if path.suffix.lower() not in AUDIO_SUFFIXES:
                ignored.append(path.relative_to(folder).as_posix())
                continue
            check_link(path, folder, roots)
            audio.append(path)
    if not audio:
        raise UserError(
            "audio_missing",
            f"There is no audio in the folder {folder}" + (f" ({len(ignored)} other files)." if ignored else "."),
            f"Files count by their suffix: {', '.join(AUDIO_SUFFIXES)}.",
        )
    key = natsort_keygen(key=lambda path: path.relative_to(folder).as_posix(), alg=ns.IGNORECASE)
    return sorted(audio, key=key), sorted(ignored)


def check_link(path: Path, folder: Path, roots: Sequence[Path] | None) -> None:
    """Refuse a file of a folder that is a link out of it and out of the roots; None: links may lead anywhere.

    Raises:
        UserError: ``path_outside_roots``.
    """
    target = Path(os.path.realpath(path))
    allowed = [Path(os.path.realpath(folder)), *(roots or [])]
    if roots is not None and not any(target.is_relative_to(root) for root in allowed):
        raise UserError(
            "path_outside_roots",
            f"{path} is a link out of the folders that this server may use.",
            "Copy the file into the folder instead.",
        )


def _notes(info: RecordingInfo, name: str) -> list[str]:
    found = []
    suffix = Path(name).suffix.lower()
    if info.container in SUFFIXES and suffix not in SUFFIXES[info.container]:
        found.append(f"{name!r} is {info.container} by its content, whatever its name says, and read as that.")
    if info.sample_rate_hz < NARROW_HZ:
        found.append(
            f"{name!r} has {info.sample_rate_hz} Hz: nothing above {info.sample_rate_hz / 2000:g} kHz; "
            "a voice from it will sound like a telephone."
        )
    if info.n_channels > 2:
        found.append(f"{name!r} has {info.n_channels} channels, which are mixed to one.")
    if info.missing_s:
        found.append(f"{name!r} is cut off: {info.missing_s:.0f} s that its index names are not in the file.")
    return found


def _whole(
    recordings: Sequence[Recording], names: Sequence[str], *, is_folder: bool
) -> tuple[RecordingInfo, tuple[tuple[int, ...], ...]]:
    first = recordings[0].info
    if not is_folder:
        return first, (tuple(range(1, len(first.chapters) + 1)),)
    chapters: list[Chapter] = []
    numbers: list[tuple[int, ...]] = []
    for recording, name in zip(recordings, names, strict=True):
        info = recording.info
        own = info.chapters or (Chapter(info.title or Path(name).stem, 0.0, info.duration_s or 0.0),)
        numbers.append(tuple(range(len(chapters) + 1, len(chapters) + len(own) + 1)))
        chapters += own
    lengths = [recording.info.duration_s for recording in recordings]
    duration_s = sum(length or 0.0 for length in lengths) if all(lengths) else None
    album = first.album or first.title
    return replace(first, title=album, chapters=tuple(chapters), duration_s=duration_s), tuple(numbers)
