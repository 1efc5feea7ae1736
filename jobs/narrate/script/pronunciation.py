"""Pronunciation file: ``word = say as`` on each line, and its use in a text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.files.reading import read_bytes

MAX_BYTES, MAX_ENTRIES = 1 << 20, 20_000
MAX_PHRASE, MAX_SAID = 80, 200  # characters
_TOKEN = re.compile(r"(?<![’'])[^\W_]+")  # not the t of "don't"


@dataclass(frozen=True)
class Pronunciations:
    """Ways to say words and phrases.

    Attributes:
        said: what to say for each phrase. A phrase with capitals stands for itself only, one in lower case for any
            capitals.
        lengths: of the phrases that begin with a word in lower case, longest first.
    """

    said: Mapping[str, str]
    lengths: Mapping[str, tuple[int, ...]]

    def apply(self, text: str) -> str:
        """Return a text as it is to be said."""
        parts, place = [], 0
        for match in _TOKEN.finditer(text):
            if match.start() < place:
                continue
            for length in self.lengths.get(match[0].casefold(), ()):
                end = match.start() + length
                found = text[match.start() : end]
                said = self.said.get(found) or self.said.get(found.lower()) if len(found) == length else None
                if said and not (found[-1].isalnum() and text[end : end + 1].isalnum()):
                    parts += [text[place : match.start()], said]
                    place = end
                    break
        return "".join([*parts, text[place:]])


NOTHING = Pronunciations({}, {})


def read_pronunciations(path: Path) -> Pronunciations:
    """Read a file; ``#`` begins a comment, and an entry without ``say as`` changes nothing.

    Raises:
        UserError: ``pronunciation_invalid``, naming the line; ``file_too_large``.
    """
    try:
        lines = read_bytes(path, MAX_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _invalid(path, 1, f"it is not UTF-8 (byte {error.start})") from error
    found: dict[str, str] = {}
    lengths: dict[str, set[int]] = {}
    for number, line in enumerate(lines, 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        phrase, sign, said = (part.strip() for part in content.partition("="))
        first = _TOKEN.match(phrase)
        if not sign or first is None:
            raise _invalid(path, number, "it is no WORD = SAY AS")
        if len(phrase) > MAX_PHRASE or len(said) > MAX_SAID:
            raise _invalid(path, number, f"more than {MAX_PHRASE} characters, or more than {MAX_SAID} to say")
        if len(found) >= MAX_ENTRIES:
            raise _invalid(path, number, f"more than {MAX_ENTRIES:,} entries")
        if said:
            found[phrase] = said
            lengths.setdefault(first[0].casefold(), set()).add(len(phrase))
    return Pronunciations(found, {first: tuple(sorted(each, reverse=True)) for first, each in lengths.items()})


def _invalid(path: Path, number: int, why: str) -> UserError:
    return UserError(
        "pronunciation_invalid",
        f"Line {number} of {path} cannot be used: {why}.",
        "Write WORD = SAY AS on each line, in UTF-8; # begins a comment.",
    )
