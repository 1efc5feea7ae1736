"""Decoding of text files in any encoding, and checks of the text."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from jobs.errors import UserError

MAX_TEXT_BYTES = 64 << 20  # the longest novels have 12 MB
MIN_GUESSED_BYTES = 200  # fewer bytes are not enough to guess an encoding


@dataclass(frozen=True)
class BookText:
    """The text of a book, and notes for the report on how it was read."""

    text: str
    notes: tuple[str, ...] = ()


def decode_text_file(path: Path) -> BookText:
    """Decode a text file as UTF-16 by its mark, else as UTF-8, else by a guess, which is noted.

    Raises ``UserError``: ``text_unreadable``, ``text_empty``.
    """
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise text_unreadable(path, f"has {path.stat().st_size >> 20} MB, more than any book")
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return check_not_empty(BookText(content.decode("utf-16")), path)
        except UnicodeDecodeError as error:
            raise text_unreadable(path, f"begins like UTF-16 but is not (byte {error.start})") from error
    try:
        return check_not_empty(BookText(content.decode("utf-8-sig")), path)
    except UnicodeDecodeError as error:
        guess = charset_normalizer.from_bytes(content).best() if len(content) >= MIN_GUESSED_BYTES else None
        if guess is None or "\0" in str(guess):
            raise text_unreadable(path, f"is not UTF-8 text (byte {error.start})") from error
    note = f"{path.name!r} is not UTF-8; it was read as {guess.encoding}, a guess: check accents and quotes."
    return check_not_empty(BookText(str(guess), (note,)), path)


def check_script(text: str, path: Path) -> None:
    """Check that a text is not of a script written from right to left: no supported language uses one.

    Raises ``UserError``: ``text_right_to_left``.
    """
    directions = [unicodedata.bidirectional(character) for character in text[:200_000]]
    n_right_to_left = sum(direction in ("R", "AL") for direction in directions)
    if n_right_to_left > sum(direction == "L" for direction in directions):
        raise UserError(
            "text_right_to_left",
            f"{path} is written from right to left (Hebrew, Arabic or the like).",
            "Qwen3-TTS speaks none of these languages: English, Chinese, Japanese, Korean, German, French, Russian, "
            "Portuguese, Spanish and Italian.",
        )


def check_not_empty(found: BookText, path: Path) -> BookText:
    """Return a text with plain line ends. Raises ``UserError``: ``text_empty`` when it has no letters or digits."""
    if not any(character.isalnum() for character in found.text):
        raise UserError("text_empty", f"{path} holds no words.", "Give the book's text: .txt, .epub, .srt or .vtt.")
    return BookText(found.text.replace("\r\n", "\n").replace("\r", "\n"), found.notes)


def text_unreadable(path: Path, why: str) -> UserError:
    """Build the error for a file that cannot be read as text."""
    return UserError(
        "text_unreadable",
        f"{path} {why}.",
        f"Give UTF-8 text, e.g. by iconv -f WINDOWS-1252 -t UTF-8 {path.name!r}, or an .epub, .srt or .vtt.",
    )
