"""Reader of LJSpeech's layout: ``metadata.csv`` with ``id|text|normalised text``, audio in ``wavs/``.

Piper, Coqui, XTTS and MeloTTS write the same kind of file with other columns, and spreadsheets quote its fields.
"""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from jobs.audio import AUDIO_SUFFIXES
from jobs.dataset.exchange.foreign_clips import AudioFolders, ForeignClip, leads_out, spellings, unreadable
from jobs.dataset.exchange.metadata_columns import closes, find_columns, opens
from jobs.files.reading import read_lines, resolve_inside

METADATA, WAVS = "metadata.csv", "wavs"
N_FIRST_LINES = 200  # from which the columns are determined
NO_TEXTS = "no column of it holds texts: each is the same in all lines"
NOT_UTF8 = "it is not UTF-8 text; a spreadsheet saves it as CSV UTF-8"

MOST_BREAKS = 20  # of a text
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?')  # Excel's own


def read(source: Path, scratch: Path, audio_dir: Path | None) -> Iterator[ForeignClip]:
    """Read a folder, or a ``metadata.csv``: the text as it is written, else the normalised one."""
    folder = source if source.is_dir() else source.parent
    metadata = resolve_inside(source, METADATA) if source.is_dir() else source
    if metadata is None:
        raise leads_out(source, METADATA)
    wavs = resolve_inside(folder, WAVS)
    if wavs is None:
        raise leads_out(source, WAVS)
    folders = AudioFolders.of(wavs, folder, audio_dir)
    try:
        columns = find_columns([line for _, line in itertools.islice(_lines(metadata), N_FIRST_LINES)])
        if not columns.texts:
            raise unreadable(metadata, "ljspeech", NO_TEXTS)
        for number, line in _lines(metadata):
            fields = columns.split(line)
            if (number == 1 and columns.has_header) or columns.audio >= len(fields):
                continue
            name, sound = folders.take(_file_name(fields[columns.audio].strip(), folders))
            speaker, language = columns.speaker_of(fields), columns.language_of(fields)
            yield ForeignClip(number, name, sound, columns.text_of(fields), speaker, language)
    except UnicodeDecodeError as error:
        raise unreadable(metadata, "ljspeech", NOT_UTF8) from error
    except OSError as error:
        raise unreadable(metadata, "ljspeech", str(error.strerror)) from error


def _lines(metadata: Path) -> Iterator[tuple[int, str]]:
    """Read the lines that are not empty, numbered; a text in quotes with line breaks becomes one line."""
    begun: list[str] = []  # lines of a text that is not at its end
    first = 0
    for number, raw in enumerate(read_lines(metadata), 1):
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        if begun and closes(line, opens(begun[0]) or ""):
            yield first, " ".join([*begun, line])
            begun = []
        elif begun and len(begun) <= MOST_BREAKS and not line.count('"') % 2:
            begun.append(line)
        else:
            yield from _not_empty(first, begun)
            is_open = opens(line) is not None
            begun, first = ([line] if is_open else []), number
            if not is_open and not (number == 1 and _SEPARATOR_LINE.fullmatch(line)):
                yield from _not_empty(number, [line])
    yield from _not_empty(first, begun)


def _not_empty(first: int, lines: list[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, first) if line)


def _file_name(clip_id: str, folders: AudioFolders) -> str:
    """Find the file name of an id: the id itself if it has a suffix, else with that of the file that is there."""
    names = [name for name in (clip_id, *(f"{clip_id}{suffix}" for suffix in AUDIO_SUFFIXES)) if Path(name).suffix]
    for folder, name in itertools.product(folders.folders, names):
        for spelling in spellings(name):
            path = resolve_inside(folder, spelling)
            if path is not None and os.path.isfile(path):  # noqa: PTH113 - False for a name that is too long
                return name
    return f"{clip_id}.wav"
