"""Columns of a metadata file: LJSpeech's, Piper's, Coqui's, MeloTTS's, or those that a header names."""

import contextlib
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.asr.model_registry import NAMES

SEPARATORS = ("|", "\t", ";", ",")
OF_SPREADSHEETS = (";", ",")  # texts hold them, so that only fields in quotes say where a column ends
AUDIO_NAMES = ("audio_file", "audio", "file", "file_name", "filename", "audio_filepath", "path", "wav", "id")
TEXT_NAMES = ("text", "transcript", "transcription", "sentence", "normalized_text")
SPEAKER_NAMES = ("speaker_name", "speaker", "speaker_id", "voice")
LANGUAGE_NAMES = ("language", "lang")
CODES_OF_OTHERS = {"jp": "ja", "kr": "ko", "cn": "zh"}

MANY_QUOTED = 5
MANY_LINES = 5
_SPEAKER = re.compile(r"[^\W\d][\w .'-]{0,39}|\d{1,6}")
_NAME = re.compile(r"[\w-]*")
_OPEN_QUOTE = re.compile(r'([|\t;,])"(?:[^"]|"")*$')
_CLOSING_QUOTE = re.compile(r'((?:[^"]|"")*)"(?:[|\t;,]|$)')
_WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2}")


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
        with contextlib.suppress(csv.Error):
            if self.is_quoted:
                return next(csv.reader([line], delimiter=self.separator), [""])
        return line.split(self.separator)

    def text_of(self, fields: Sequence[str]) -> str:
        """Return the text of a line's fields."""
        found = (fields[place].strip() for place in self.texts if place < len(fields))
        return next((text for text in found if text), "")

    def speaker_of(self, fields: Sequence[str]) -> str | None:
        """Return the speaker of a line's fields."""
        found = _field(fields, self.speaker)
        return None if found is None else usable_name(found)

    def language_of(self, fields: Sequence[str]) -> str | None:
        """Return the language of a line's fields."""
        found = _field(fields, self.language)
        return None if found is None else code if (code := code_of(found)) in NAMES else found


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
    for separator in SEPARATORS:
        is_csv = separator in OF_SPREADSHEETS
        plain = Columns(separator, is_quoted=is_quoted or is_csv)
        rows = [[field.strip() for field in plain.split(line)] for line in lines]
        ((width, n_rows),) = Counter(map(len, rows)).most_common(1)
        columns = [list(column) for column in zip(*(row for row in rows if len(row) == width), strict=True)]
        if width > 1 and (not is_csv or (n_rows == len(rows) and _are_names(columns[0]))):
            return _by_content(plain, columns)
    return Columns(is_quoted=is_quoted)


def _by_content(plain: Columns, columns: Sequence[Sequence[str]]) -> Columns:
    """Determine which columns are texts, the speaker and the language, by what they hold."""
    places = range(1, len(columns))
    texts = _texts(columns)
    language = next(
        (place for place in places if place not in texts and all(code_of(field) in NAMES for field in columns[place])),
        None,
    )
    speakers = (place for place in places if place not in (*texts, language) and _are_speakers(columns[place]))
    return replace(plain, texts=texts, speaker=next(speakers, None), language=language)


def _texts(columns: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """Return the columns of texts: of sentences, else of words that are not the same in all of many lines."""
    varied = {
        place: len(set(columns[place]))
        for place in range(1, len(columns))
        if len(set(columns[place])) > 1 or len(columns[place]) < MANY_LINES
    }
    sentences = {place: n for place, n in varied.items() if _are_sentences(columns[place])}
    if not sentences:
        return tuple(varied) or tuple(k for k in range(1, len(columns)) if not _NAME.fullmatch(columns[k][0]))
    most = max(sentences.values())  # full names of speakers are fewer
    return tuple(place for place, n in sentences.items() if 2 * n >= most)


def opens(line: str) -> str | None:
    """Return the separator before a text in quotes that a line break interrupts."""
    found = _OPEN_QUOTE.search(line) if line.count('"') % 2 else None
    return found and found.group(1)


def closes(line: str, separator: str) -> bool:
    """Return whether a line is the rest of a text in quotes; a line of its own has another file's name before it."""
    found = _CLOSING_QUOTE.match(line)
    return found is not None and (separator in OF_SPREADSHEETS or separator not in found.group(1))


def code_of(language: str) -> str:
    """Return the code of a language as others write it: ``EN``, ``en-us``, ``zh_CN``, ``JP``."""
    code = re.sub(r"[-_][a-z]{2,4}$", "", language.strip().lower())
    return CODES_OF_OTHERS.get(code, code)


def usable_name(speaker: str) -> str:
    """Return a speaker's name as a manifest takes it: without spaces, and with a letter before a number."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", speaker).strip("_")
    return (f"speaker_{name}" if name[:1].isdigit() else name) or speaker


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


def _are_speakers(fields: Sequence[str]) -> bool:
    """Return whether all fields may name a speaker: words or whole numbers, of which many lines have the same."""
    are_few = len(fields) < MANY_LINES or len(set(fields)) * 2 <= len(fields)
    return are_few and all(_SPEAKER.fullmatch(field) for field in fields)


def _are_sentences(fields: Sequence[str]) -> bool:
    """Return whether half of the fields have several words, or characters of a language without spaces."""
    return sum(" " in field or bool(_WITHOUT_SPACES.search(field)) for field in fields) * 2 >= len(fields)
