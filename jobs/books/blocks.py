"""Parts of a book in reading order: headings, paragraphs and breaks between scenes."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from jobs.books.text_decoding import text_unreadable

MAX_BLOCKS = 150_000  # as web novels of ten million signs have


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph, or without text a break between scenes.

    Attributes:
        level: of a heading, 1 to 6; 0 of any other block.
    """

    text: str
    level: int = 0


SCENE_BREAK = Block("")


@dataclass(frozen=True)
class Cover:
    """Picture of a book, as it is in the file: a JPEG or a PNG."""

    content: bytes
    codec: str
    width: int
    height: int


@dataclass(frozen=True)
class Book:
    """A book as it was read. Title, author and text are a stranger's words.

    Attributes:
        blocks: in reading order.
        notes: for the report, on how it was read.
    """

    blocks: tuple[Block, ...]
    title: str | None = None
    author: str | None = None
    cover: Cover | None = None
    notes: tuple[str, ...] = ()


def gather_blocks(blocks: Iterable[Block], path: Path) -> tuple[Block, ...]:
    """Return the blocks of a book. Raises ``UserError``: ``text_unreadable``, at more than ``MAX_BLOCKS``."""
    found = tuple(islice(blocks, MAX_BLOCKS + 1))
    if len(found) > MAX_BLOCKS:
        raise text_unreadable(path, f"has more than {MAX_BLOCKS:,} paragraphs")
    return found
