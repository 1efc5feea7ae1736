"""Reader of a book as headings and paragraphs: plain text, Markdown or EPUB."""

import zipfile
from pathlib import Path

from jobs.books.blocks import Block, Book, gather_blocks
from jobs.books.epub import read_epub_book
from jobs.books.markdown import read_markdown
from jobs.books.plain_book import read_plain
from jobs.books.text_decoding import check_script, decode_text_file, text_unreadable
from jobs.files.reading import check_regular
from jobs.text.book_cleaning import clean_book

LONGEST_HEADING = 300  # characters
MARKDOWN_SUFFIXES = (".md", ".markdown")


def read_book(path: Path) -> Book:
    """Read a book; an EPUB is recognised by its content.

    Raises ``UserError``: ``text_unreadable``, ``text_empty``, ``text_protected``, ``text_right_to_left``,
    ``file_not_regular``, ``file_too_large``.
    """
    check_regular(path)
    if zipfile.is_zipfile(path):
        found = read_epub_book(path)
        book = Book(tuple(map(_settled, found.blocks)), found.title, found.author, found.cover)
    else:
        text = decode_text_file(path)
        if path.suffix.lower() in MARKDOWN_SUFFIXES:
            try:
                blocks, tags = read_markdown(text.text)
            except ValueError as error:
                raise text_unreadable(path, str(error)) from error
            settled = gather_blocks(map(_settled, blocks), path)
            book = Book(settled, tags.get("title"), tags.get("author"), notes=text.notes)
        else:
            clean = clean_book(text.text)
            notes = (*text.notes, clean.note) if clean.note else text.notes
            book = Book(gather_blocks(read_plain(clean.text), path), notes=notes)
    check_script("\n".join(block.text for block in book.blocks), path)
    return book


def _settled(block: Block) -> Block:
    """Return a block without marks of print; a heading that is as long as no heading is a paragraph."""
    if not block.text:
        return block
    text = clean_book(block.text, is_parsed=True).text
    return Block(text, block.level if len(text) <= LONGEST_HEADING else 0)
