"""Reader of a book as headings and paragraphs: plain text, Markdown or EPUB."""

import zipfile
from pathlib import Path

from jobs.books.blocks import Block, Book
from jobs.books.epub import read_epub_book
from jobs.books.markdown import read_markdown
from jobs.books.plain_book import read_plain
from jobs.books.text_decoding import check_script, decode_text_file
from jobs.files.reading import check_regular
from jobs.text.book_cleaning import clean_book

MARKDOWN_SUFFIXES = (".md", ".markdown")


def read_book(path: Path) -> Book:
    """Read a book; an EPUB is recognised by its content.

    Raises ``UserError``: ``text_unreadable``, ``text_empty``, ``text_protected``, ``text_right_to_left``,
    ``file_not_regular``, ``file_too_large``.
    """
    check_regular(path)
    if zipfile.is_zipfile(path):
        found = read_epub_book(path)
        book = Book(tuple(map(_cleaned, found.blocks)), found.title, found.author, found.cover)
    else:
        text = decode_text_file(path)
        if path.suffix.lower() in MARKDOWN_SUFFIXES:
            blocks, tags = read_markdown(text.text)
            book = Book(tuple(map(_cleaned, blocks)), tags.get("title"), tags.get("author"), notes=text.notes)
        else:
            clean = clean_book(text.text)
            notes = (*text.notes, clean.note) if clean.note else text.notes
            book = Book(tuple(read_plain(clean.text)), notes=notes)
    check_script("\n".join(block.text for block in book.blocks), path)
    return book


def _cleaned(block: Block) -> Block:
    return Block(clean_book(block.text).text, block.level) if block.text else block
