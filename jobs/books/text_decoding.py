"""Decoding of text files in any encoding, and checks of the text."""

import codecs
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from jobs.errors import UserError
from jobs.files.reading import read_bytes

MAX_TEXT_BYTES = 32 << 20  # the longest novels have 12 MB
MIN_GUESSED_BYTES = 200  # fewer bytes are not enough to guess an encoding
MAX_GUESSED_BYTES = 1 << 20  # more are not read for a guess
WESTERN = "cp1252"
# Accents and typographic marks of Western European text: few among its letters, and hardly any other byte above 127.
MAX_ACCENTED = 0.1
WESTERN_MARKS = frozenset(b"\x80\x84\x85\x91\x92\x93\x94\x95\x96\x97\x8c\x9c\xa0\xa1\xa3\xa7\xa9\xab\xb0\xbb\xbf")


@dataclass(frozen=True)
class BookText:
    """The text of a book, and notes for the report on how it was read."""

    text: str
    notes: tuple[str, ...] = ()


def decode_text_file(path: Path) -> BookText:
    """Decode a text file as UTF-16 by its mark, else as UTF-8, else by a guess, which is noted.

    A guess by statistics needs many accents. So UTF-8 with some bad bytes is read as UTF-8 and these as Windows-1252,
    and text with few accents as Windows-1252.

    Raises ``UserError``: ``text_unreadable``, ``text_empty``, ``file_not_regular``, ``file_too_large``.
    """
    content = read_bytes(path, MAX_TEXT_BYTES)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return check_not_empty(BookText(content.decode("utf-16")), path)
        except UnicodeDecodeError as error:
            raise text_unreadable(path, f"begins like UTF-16 but is not (byte {error.start})") from error
    try:
        return check_not_empty(BookText(content.decode("utf-8-sig")), path)
    except UnicodeDecodeError as error:
        mended = _decode_mixed(content)
        if mended is not None:
            line = content.count(b"\n", 0, error.start) + 1
            mixed, n_bad = mended
            note = f"{path.name!r} has {n_bad} bytes that are not UTF-8, the first in line {line}: read as {WESTERN}."
            return check_not_empty(BookText(mixed, (note,)), path)
        guess = _guess_encoding(content, error.start) if len(content) >= MIN_GUESSED_BYTES else None
        text = _decode(content, guess) if guess is not None else None
        if text is None or "\0" in text:
            raise text_unreadable(path, f"is not UTF-8 text (byte {error.start})") from error
    note = f"{path.name!r} is not UTF-8; it was read as {guess}, a guess: check accents and quotes."
    return check_not_empty(BookText(text, (note,)), path)


def _guess_encoding(content: bytes, at: int) -> str | None:
    """Guess an encoding from the bytes around the first one that is not UTF-8, in whole lines where there are any."""
    if _is_western(content):
        return WESTERN
    start = 0
    if len(content) > MAX_GUESSED_BYTES:
        start = max(0, min(at - MAX_GUESSED_BYTES // 2, len(content) - MAX_GUESSED_BYTES))
        start = content.rfind(b"\n", max(0, start - 1000), start) + 1 or start
        content = content[start : start + MAX_GUESSED_BYTES]
        content = content[: content.rfind(b"\n", len(content) - 1000) + 1 or len(content)]
    best = charset_normalizer.from_bytes(content).best()
    return None if best is None else best.encoding


def _decode_mixed(content: bytes) -> tuple[str, int] | None:
    """Decode text that is UTF-8 but for some bytes, and count these; None when UTF-8 explains no more than half."""
    n_bad = 0

    def replace(error: UnicodeError) -> tuple[str, int]:
        nonlocal n_bad
        assert isinstance(error, UnicodeDecodeError)
        n_bad += error.end - error.start
        return error.object[error.start : error.end].decode(WESTERN, "replace"), error.end

    codecs.register_error("tts_train.western", replace)
    text = content.decode("utf-8-sig", "tts_train.western")
    n_accented = sum(character > "\x7f" for character in text)
    return (text, n_bad) if n_accented - n_bad >= n_bad else None


def _is_western(content: bytes) -> bool:
    """Return whether the bytes above 127 are as few and of the kinds as in Western European text."""
    high = [byte for byte in content[:MAX_GUESSED_BYTES] if byte > 0x7F]
    n_letters = sum(byte >= 0xC0 or byte in WESTERN_MARKS for byte in high)
    return len(high) <= MAX_ACCENTED * min(len(content), MAX_GUESSED_BYTES) and n_letters >= 0.9 * len(high)


def _decode(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeError:
        return None


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


def text_unreadable(
    path: Path,
    why: str,
    hint: str = "Give UTF-8 text, e.g. by iconv -f WINDOWS-1252 -t UTF-8 FILE, or an .epub, .srt or .vtt.",
) -> UserError:
    """Build the error for a file that cannot be read as text."""
    return UserError("text_unreadable", f"{path} {why}.", hint)
