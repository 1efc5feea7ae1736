"""Source files of an ingest: one recording, or the recordings of a folder in natural order, with all chapters."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.audio import AUDIO_SUFFIXES
from jobs.audio.recording import Chapter, Recording, RecordingInfo
from jobs.audio.recording_info import MAX_CHAPTERS
from jobs.errors import UserError
from jobs.files.own_files import walk_files
from jobs.ingest_audiobook.input.file_order import in_order
from jobs.ingest_audiobook.input.same_book import find_copies
from jobs.trust.roots import is_inside, outside_roots

NARROW_HZ = 16_000  # clips have 24 kHz; a lower source rate lacks frequencies of a voice above half of it
MAX_NAMED = 5
MAX_RECORDINGS = 10_000
MAX_HEARD = 3  # recordings whose channels are compared for a note; the others are, when they are read
# Usual suffixes by libavformat's name of the format; other formats get no note.
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
class SourceFiles:
    """The recordings of a book in order; ``names`` are relative to the given folder, as in manifests.

    ``info`` is of the whole book; its chapters are those of all recordings, the first is number 1.
    """

    recordings: tuple[Recording, ...]
    names: tuple[str, ...]
    info: RecordingInfo
    chapter_numbers: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def chapter_titles(self) -> dict[tuple[str, int], str]:
        """Chapter titles by the recording's name and the chapter's number in the book."""
        return {
            (name, number): self.info.chapters[number - 1].title
            for name, numbers in zip(self.names, self.chapter_numbers, strict=True)
            for number in numbers
        }


def open_source_files(audio: Path, roots: Sequence[Path] | None = None) -> SourceFiles:
    """Read the containers of a recording or a folder of recordings.

    Raises ``UserError``: those of ``Recording``, ``audio_missing`` for a folder without audio, ``path_outside_roots``.
    """
    paths, ignored = _audio_files(audio, roots) if audio.is_dir() else ([audio], [])
    found = {path.relative_to(audio).as_posix() if audio.is_dir() else path.name: Recording(path) for path in paths}
    copies, notes = find_copies(found)
    names = tuple(name for name in found if name not in copies)
    recordings = tuple(found[name] for name in names)
    notes += [note for recording, name in zip(recordings, names, strict=True) for note in _notes(recording.info, name)]
    stereo = [name for name in names if found[name].info.n_channels == 2][:MAX_HEARD]
    if opposite := [name for name in stereo if found[name].has_opposite_channels]:
        notes.append(f"The channels of {opposite[0]!r} are opposite, their sum is silence: the first one is read.")
    if ignored:
        more = f" and {len(ignored) - MAX_NAMED} more" if len(ignored) > MAX_NAMED else ""
        notes.append(f"Ignored, not audio by name: {', '.join(map(repr, ignored[:MAX_NAMED]))}{more}.")
    info, numbers = _combined_info(recordings, names, is_folder=audio.is_dir())
    return SourceFiles(recordings, names, info, numbers, tuple(notes))


def _audio_files(folder: Path, roots: Sequence[Path] | None) -> tuple[list[Path], list[str]]:
    """Return the audio files below a folder in natural order and the names of other files, without hidden ones."""
    audio: list[Path] = []
    ignored: list[str] = []
    for path in walk_files(folder, lambda name: not name.startswith(".")):
        if path.name.startswith(".") or path.is_dir():
            continue
        if path.suffix.lower() not in AUDIO_SUFFIXES:
            ignored.append(path.relative_to(folder).as_posix())
            continue
        if len(audio) == MAX_RECORDINGS:
            raise UserError(
                "audio_unreadable",
                f"{folder} holds more than {MAX_RECORDINGS:,} recordings: that is no book.",
                "Give the folder of one book.",
            )
        audio.append(path)
    for path in audio:
        check_link(path, folder, roots)
    if not audio:
        raise UserError(
            "audio_missing",
            f"There is no audio in the folder {folder}" + (f" ({len(ignored)} other files)." if ignored else "."),
            f"Audio files are recognised by suffix: {', '.join(AUDIO_SUFFIXES)}.",
        )
    names = in_order([path.relative_to(folder).as_posix() for path in audio])
    return [folder / name for name in names], sorted(ignored)


def check_link(path: Path, folder: Path, roots: Sequence[Path] | None) -> None:
    """Refuse a file that is a link out of its folder and out of the roots; with roots None, any link is allowed.

    Raises ``UserError``: ``path_outside_roots``.
    """
    target = Path(os.path.realpath(path))
    allowed = [Path(os.path.realpath(folder)), *(roots or [])]
    if roots is not None and not is_inside(target, allowed):
        raise outside_roots(
            f"{path} is a link out of the folders that may be read.", "Copy the file into the folder instead."
        )


def _notes(info: RecordingInfo, name: str) -> list[str]:
    found = []
    suffix = Path(name).suffix.lower()
    if info.container in SUFFIXES and suffix not in SUFFIXES[info.container]:
        found.append(f"{name!r} is {info.container} by its content and was read as that, in spite of its name.")
    if info.sample_rate_hz < NARROW_HZ:
        found.append(
            f"{name!r} has {info.sample_rate_hz} Hz: it holds nothing above "
            f"{info.sample_rate_hz / 2000:g} kHz, and a voice from it will sound like a telephone."
        )
    if info.n_channels > 2:
        found.append(f"{name!r} has {info.n_channels} channels; they are mixed to one.")
    if info.n_audio_streams > 1:
        found.append(
            f"{name!r} has {info.n_audio_streams} audio streams; number {info.audio_stream} is read, the file's "
            "default. If another one is the narration, write it to a file of its own: ffmpeg -i IN -map 0:a:N -c copy "
            "OUT, where N counts from 0."
        )
    if info.missing_s:
        found.append(f"{name!r} is cut off: {info.missing_s:.0f} s of its index are not in the file.")
    return found


def _combined_info(
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
        if len(chapters) > MAX_CHAPTERS:
            raise UserError(
                "audio_unreadable",
                f"The recordings have more than {MAX_CHAPTERS:,} chapter marks together.",
                "Give the folder of one book.",
            )
    lengths = [recording.info.duration_s for recording in recordings]
    duration_s = sum(length or 0.0 for length in lengths) if all(lengths) else None
    album = first.album or first.title
    return replace(first, title=album, chapters=tuple(chapters), duration_s=duration_s), tuple(numbers)
