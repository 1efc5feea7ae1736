"""Parts of a book in reading order: headings, paragraphs and breaks between scenes."""

from dataclasses import dataclass


@dataclass(frozen=True)
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
