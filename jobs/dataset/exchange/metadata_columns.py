"""Columns of a metadata file: LJSpeech's, Piper's, Coqui's, MeloTTS's, or those that a header names."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.asr.model_registry import NAMES

SEPARATORS = ("|", "\t", ";", ",")
AUDIO_NAMES = ("audio_file", "audio", "file", "file_name", "filename", "audio_filepath", "path", "wav", "id")
TEXT_NAMES = ("text", "transcript", "transcription", "sentence", "normalized_text")
SPEAKER_NAMES = ("speaker_name", "speaker", "speaker_id", "voice")
LANGUAGE_NAMES = ("language", "lang")
CODES_OF_OTHERS = {"jp": "ja", "kr": "ko", "cn": "zh"}

MANY_QUOTED = 5


@dataclass(frozen=True)
class Columns:
    """Places of the fields of a line; of the ``texts`` the first that is not empty is the text."""

    separator: str = "|"
    audio: int = 0
    texts: tuple[int, ...] = (1, 2)
    speaker: int | None = None
    language: int | None = None
    has_header: bool = False
    is_quoted: bool = False

    def split(self, line: str) -> list[str]:
        """Return the fields of a line."""
        if self.is_quoted:
            return next(csv.reader([line], delimiter=self.separator), [""])
        return line.split(self.separator)

    def text_of(self, fields: Sequence[str]) -> str:
        """Return the text of a line's fields."""
        found = (fields[place].strip() for place in self.texts if place < len(fields))
        return next((text for text in found if text), "")

    def speaker_of(self, fields: Sequence[str]) -> str | None:
        """Return the speaker of a line's fields."""
        return _field(fields, self.speaker)

    def language_of(self, fields: Sequence[str]) -> str | None:
        """Return the language of a line's fields."""
        found = _field(fields, self.language)
        return None if found is None else CODES_OF_OTHERS.get(found.lower(), found)


def find_columns(lines: Sequence[str]) -> Columns:
    """Determine the columns from the first lines of a file."""
    if not lines:
        return Columns()
    is_quoted = any(_is_quoted(line, separator) for line in lines for separator in SEPARATORS)
    is_quoted = is_quoted or any(_has_quoted_column(lines, separator) for separator in SEPARATORS)
    for separator in SEPARATORS:
        names = [name.strip().strip('"').lower() for name in lines[0].split(separator)]
        audio, text = _place(names, AUDIO_NAMES), _place(names, TEXT_NAMES)
        if audio is not None and text is not None:
            speaker, language = _place(names, SPEAKER_NAMES), _place(names, LANGUAGE_NAMES)
            return Columns(separator, audio, (text,), speaker, language, has_header=True, is_quoted=True)
    separator = "|" if any("|" in line for line in lines) else "\t"
    plain = Columns(separator, is_quoted=is_quoted)
    rows = [[field.strip() for field in plain.split(line)] for line in lines]
    width = min(map(len, rows))
    columns = [[row[place] for row in rows] for place in range(width)]
    if width == 4 and all(CODES_OF_OTHERS.get(code.lower(), code.lower()) in NAMES for code in columns[2]):
        return Columns(separator, 0, (3,), 1, 2, is_quoted=is_quoted)
    if width == 3 and _are_names(columns[1]) and _are_sentences(columns[2]):
        return Columns(separator, 0, (2,), 1, is_quoted=is_quoted)
    if width == 3 and _are_names(columns[2]) and _are_sentences(columns[1]):
        return Columns(separator, 0, (1,), 2, is_quoted=is_quoted)
    return plain


def _field(fields: Sequence[str], place: int | None) -> str | None:
    return (fields[place].strip() or None) if place is not None and place < len(fields) else None


def _place(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _is_quoted(line: str, separator: str) -> bool:
    """Return whether a field is in quotes because of quotes within it: as spreadsheets write it, and no person."""
    return any(
        field[:1] == field[-1:] == '"' and '""' in (inner := field[1:-1]) and '"' not in inner.replace('""', "")
        for field in line.split(separator)
    )


def _has_quoted_column(lines: Sequence[str], separator: str) -> bool:
    """Return whether a column is in quotes in every line: that of names, or of more texts than people quote by hand."""
    rows = [[_is_within_quotes(field) for field in line.split(separator)] for line in lines]
    columns = list(zip(*rows, strict=False)) if min(map(len, rows)) > 1 else []
    return any(all(column) and (place == 0 or len(lines) >= MANY_QUOTED) for place, column in enumerate(columns))


def _is_within_quotes(field: str) -> bool:
    return len(field) > 1 and field[0] == field[-1] == '"' and '"' not in field[1:-1].replace('""', "")


def _are_names(fields: Sequence[str]) -> bool:
    return all(fields) and not any(" " in field for field in fields)


def _are_sentences(fields: Sequence[str]) -> bool:
    return sum(" " in field for field in fields) * 2 >= len(fields)
