"""Reader of a book's text: plain text, HTML, EPUB or subtitles."""

import zipfile
from pathlib import Path

from jobs.books.document_text import plain_text
from jobs.books.epub import read_epub
from jobs.books.text_decoding import BookText, check_not_empty, check_script, decode_text_file
from jobs.files.reading import check_regular, read_bytes
from jobs.ingest_audiobook.params import SUBTITLE_SUFFIXES
from jobs.ingest_audiobook.text.subtitles import read_subtitles
from jobs.text.book_cleaning import clean_book
from jobs.text.text_language import refuse_other_language

HTML_SUFFIXES = (".html", ".htm", ".xhtml")
MAX_HTML_BYTES = 32 << 20


def read_book_of(text: str | None, language: str) -> BookText:
    """Read a book's text that should be of a language.

    Raises:
        UserError: as ``read_book_text``; ``text_language``: it is surely of another one.
    """
    book = read_book_text(Path(text or ""))
    refuse_other_language(book.text, language)
    return book


def read_book_text(path: Path) -> BookText:
    """Read .txt, .md, .html, .epub, .srt or .vtt without marks of print; an archive is recognised by its content.

    Raises ``UserError``: ``text_unreadable``, ``text_empty``, ``text_protected``, ``text_right_to_left``,
    ``file_not_regular``, ``file_too_large``.
    """
    check_regular(path)
    if zipfile.is_zipfile(path):
        found = _cleaned(read_epub(path), is_parsed=True)
    elif path.suffix.lower() in SUBTITLE_SUFFIXES:
        found = BookText("\n".join(segment.text for segment in read_subtitles(path)))
    elif path.suffix.lower() in HTML_SUFFIXES:
        found = check_not_empty(_cleaned(BookText(plain_text(read_bytes(path, MAX_HTML_BYTES))), is_parsed=True), path)
    else:
        found = _cleaned(decode_text_file(path))
    check_script(found.text, path)
    return found


def _cleaned(found: BookText, *, is_parsed: bool = False) -> BookText:
    clean = clean_book(found.text, is_parsed=is_parsed)
    return BookText(clean.text, (*found.notes, clean.note) if clean.note else found.notes)
