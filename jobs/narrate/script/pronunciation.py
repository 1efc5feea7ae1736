"""Pronunciation file: ``word = say as`` on each line, and its use in a text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.files.reading import read_bytes

MAX_BYTES, MAX_ENTRIES, MAX_LENGTH = 1 << 20, 20_000, 200
_TOKEN = re.compile(r"(?<![’'])[^\W_]+")  # not the t of "don't"


@dataclass(frozen=True)
class Pronunciations:
    """Ways to say words and phrases.

    Attributes:
        entries: by their first word in lower case: the phrase and what to say, longest phrase first. A phrase with
            capitals stands for itself only, one in lower case for any capitals.
    """

    entries: Mapping[str, tuple[tuple[str, str], ...]]

    def apply(self, text: str) -> str:
        """Return a text as it is to be said."""
        parts, place = [], 0
        for match in _TOKEN.finditer(text):
            if match.start() < place:
                continue
            for phrase, said in self.entries.get(match[0].casefold(), ()):
                end = match.start() + len(phrase)
                found = text[match.start() : end]
                is_same = found == phrase or (phrase.islower() and found.lower() == phrase)
                if is_same and not (text[end - 1].isalnum() and text[end : end + 1].isalnum()):
                    parts += [text[place : match.start()], said]
                    place = end
                    break
        return "".join([*parts, text[place:]])


NOTHING = Pronunciations({})


def read_pronunciations(path: Path) -> Pronunciations:
    """Read a file; ``#`` begins a comment, and an entry without ``say as`` changes nothing.

    Raises:
        UserError: ``pronunciation_invalid``, naming the line; ``file_too_large``.
    """
    try:
        lines = read_bytes(path, MAX_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _invalid(path, 1, f"it is not UTF-8 (byte {error.start})") from error
    found: dict[str, dict[str, str]] = {}
    n_entries = 0
    for number, line in enumerate(lines, 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        phrase, sign, said = (part.strip() for part in content.partition("="))
        first = _TOKEN.match(phrase)
        if not sign or first is None:
            raise _invalid(path, number, "it is no WORD = SAY AS")
        if max(len(phrase), len(said)) > MAX_LENGTH or n_entries >= MAX_ENTRIES:
            raise _invalid(path, number, f"more than {MAX_LENGTH} characters, or than {MAX_ENTRIES:,} entries")
        if said:
            found.setdefault(first[0].casefold(), {})[phrase] = said
            n_entries += 1
    longest_first = {
        first: tuple(sorted(entries.items(), key=lambda entry: -len(entry[0]))) for first, entries in found.items()
    }
    return Pronunciations(longest_first)


def _invalid(path: Path, number: int, why: str) -> UserError:
    return UserError(
        "pronunciation_invalid",
        f"Line {number} of {path} cannot be used: {why}.",
        "Write WORD = SAY AS on each line, in UTF-8; # begins a comment.",
    )
