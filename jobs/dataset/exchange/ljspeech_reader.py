"""Reader of LJSpeech's layout: ``metadata.csv`` with ``id|text|normalised text``, audio in ``wavs/``."""

import os
from collections.abc import Iterator
from pathlib import Path

from jobs.audio import AUDIO_SUFFIXES
from jobs.dataset.exchange.foreign_clips import AudioFolders, ForeignClip, leads_out, unreadable
from jobs.files.reading import read_lines, resolve_inside

METADATA, WAVS = "metadata.csv", "wavs"


def read(source: Path, scratch: Path, audio_dir: Path | None) -> Iterator[ForeignClip]:
    """Read a folder, or a ``metadata.csv``: the text as it is written, else the normalised one."""
    folder = source if source.is_dir() else source.parent
    metadata = resolve_inside(source, METADATA) if source.is_dir() else source
    if metadata is None:
        raise leads_out(source, METADATA)
    wavs = resolve_inside(folder, WAVS)
    if wavs is None:
        raise leads_out(source, WAVS)
    folders = AudioFolders.of(wavs, audio_dir)
    try:
        for number, line in enumerate(read_lines(metadata), 1):
            fields = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n").split("|")
            if fields != [""]:
                name, sound = folders.take(_file_name(fields[0].strip(), folders))
                text = next((field.strip() for field in fields[1:3] if field.strip()), "")
                yield ForeignClip(number, name, sound, text)
    except UnicodeDecodeError as error:
        raise unreadable(metadata, "ljspeech", "it is not UTF-8 text") from error
    except OSError as error:
        raise unreadable(metadata, "ljspeech", str(error.strerror)) from error


def _file_name(clip_id: str, folders: AudioFolders) -> str:
    """Find the file name of an id: the id itself if it has a suffix, else with that of the file that is there."""
    names = [name for name in (clip_id, *(f"{clip_id}{suffix}" for suffix in AUDIO_SUFFIXES)) if Path(name).suffix]
    for folder in folders.folders:
        for name in names:
            path = resolve_inside(folder, name)
            if path is not None and os.path.isfile(path):  # noqa: PTH113 - False for a name that is too long
                return name
    return f"{clip_id}.wav"
