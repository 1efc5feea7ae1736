"""Chapters of a book by its headings, and the parts that are not read aloud."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.books.blocks import SCENE_BREAK, Block, Book

LONGEST_TITLE = 300  # characters; files of audio hold no more than some ten thousand
CHAPTER_LEVEL = 2
"""Headings of this level and above begin a chapter; where there are none, the highest that there are."""
MOST_BEFORE = 0.25
"""Share of a book that may be skipped because it stands before the first heading."""
_NOT_READ = re.compile(
    r"(?:table of )?contents|copyright.{0,40}|(?:list of )?(?:illustrations|figures|tables)|index|also by .{1,80}"
    r"|about the (?:author|publisher).{0,40}|bibliography|references|(?:foot|end)?notes|praise for .{1,80}|colophon"
    r"|transcriber.{0,3}s? notes?|inhalt(?:sverzeichnis)?|impressum|anmerkungen|literaturverzeichnis|register"
    r"|table des mati[eè]res|sommaire|mentions légales|notes|índice|sumário|derechos de autor|indice|sommario"
    r"|содержание|оглавление|примечания|目次|目录|版权|차례|목차",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Section:
    """A chapter, or a part that is not read.

    Attributes:
        headings: that it begins with, to be read first.
        blocks: what follows.
        why_skipped: reason not to read it; None: it is read.
    """

    title: str
    headings: tuple[str, ...]
    blocks: tuple[Block, ...]
    why_skipped: str | None = None

    @property
    def n_characters(self) -> int:
        """Characters that are read."""
        return sum(map(len, self.headings)) + sum(len(block.text) for block in self.blocks)


def find_sections(book: Book, name: str, *, reads_front_matter: bool = False) -> list[Section]:
    """Divide a book at its headings, and name the reason for each part that is not read.

    Args:
        book: with title and blocks.
        name: of the book, for a part without heading.
        reads_front_matter: skip nothing.
    """
    parts = _divide(book.blocks)
    n_all = sum(len(block.text) for block in book.blocks)
    sections = []
    for place, (headings, blocks) in enumerate(parts):
        named = [heading for heading in headings if heading.casefold() != (book.title or "").casefold()]
        section = Section((": ".join(named) or book.title or name)[:LONGEST_TITLE], tuple(headings), tuple(blocks))
        why = None
        if not reads_front_matter and any(_NOT_READ.fullmatch(heading.strip(" .:")) for heading in headings[-1:]):
            why = "by its heading, it is not read aloud"
        is_before = place == 0 and not headings and len(parts) > 1
        if not reads_front_matter and is_before and section.n_characters < MOST_BEFORE * n_all:
            why = "it stands before the first heading"
        sections.append(Section(section.title, section.headings, section.blocks, why))
    return sections


def _divide(blocks: Sequence[Block]) -> list[tuple[list[str], list[Block]]]:
    """Return headings and blocks of each part; headings that follow each other belong to one part."""
    level = max(CHAPTER_LEVEL, min((block.level for block in blocks if block.level), default=0))
    parts: list[tuple[list[str], list[Block]]] = [([], [])]
    for block in blocks:
        if 0 < block.level <= level:
            if any(each.text for each in parts[-1][1]):
                parts.append(([], []))
            parts[-1][0].append(block.text)
            parts[-1][1].clear()
        elif block != SCENE_BREAK or parts[-1][1]:
            parts[-1][1].append(block)
    return [part for part in parts if part[0] or part[1]]
