"""Blocks of a plain text: paragraphs, headings by their words, breaks by lines of signs."""

import io
import re
from collections.abc import Iterator

from jobs.books.blocks import SCENE_BREAK, Block

LONGEST_HEADING = 80  # characters
LONG_LINE = 200  # characters; a text without empty lines whose lines are longer has a paragraph on each line
_NUMBER = r"(?:\d{1,4}|[IVXLC]{1,7}|[^\W\d_]{2,20}(?:[-\s][^\W\d_]{2,20})?)"
# Words of the ten languages that number the parts of a book.
_COUNTED = (
    "chapter|book|part|volume|canto|act|letter|kapitel|buch|teil|band|chapitre|livre|partie|tome|cap[ií]tulo|libro|"
    "parte|capitolo|livro|глава|часть|книга|том"
)
_ALONE = "prologue|epilogue|preface|foreword|introduction|afterword|prolog|epilog|vorwort|nachwort|einleitung|prólogo|"
_ALONE += "epílogo|prefacio|prologo|epilogo|prefazione|avant-propos|prefácio|пролог|эпилог|предисловие"
_HEADING = re.compile(
    rf"(?:(?:{_COUNTED})\s+{_NUMBER}(?:\s*[.:—–-].*|\s*|\n.*)|(?:{_ALONE})(?:\s*[.:—–-].*)?|[IVXLC]{{1,7}}\.?|\d{{1,3}}\.?"
    r"|第\s?[\d一二三四五六七八九十百零〇]{1,8}\s?[章回部編话話卷].*|제?\s?\d{1,4}\s?[장부].*)",
    re.IGNORECASE,
)
_BREAK = re.compile(r"[\s*#~_=·•.+-]{1,60}")
_PARAGRAPHS = re.compile(r"\n[^\S\n]*\n\s*")
# The head and the tail that Project Gutenberg puts around a book.
_START = re.compile(r"^\*\*\*\s?START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]{0,200}$", re.MULTILINE)
_END = re.compile(r"^\*\*\*\s?END OF (?:THE|THIS) PROJECT GUTENBERG[^\n]{0,200}$", re.MULTILINE)


def read_plain(text: str) -> Iterator[Block]:
    """Iterate over the blocks of a plain text. Paragraphs are separated by empty lines, else each line is one."""
    start, end = _START.search(text), _END.search(text)
    text = text[start.end() if start else 0 : end.start() if end else len(text)]
    for part in _parts(text.strip()):
        if stripped := part.strip():
            yield _block(stripped)


def _parts(text: str) -> Iterator[str]:
    place = 0
    for match in _PARAGRAPHS.finditer(text):
        yield text[place : match.start()]
        place = match.end()
    if place or all(len(line) <= LONG_LINE for line in io.StringIO(text)):
        yield text[place:]
    else:
        yield from io.StringIO(text)


def _block(part: str) -> Block:
    if _BREAK.fullmatch(part):
        return SCENE_BREAK
    if len(part) <= LONGEST_HEADING and part.count("\n") <= 1 and _HEADING.fullmatch(part):
        return Block(" ".join(part.split()), 2)
    return Block(" ".join(part.split()))
