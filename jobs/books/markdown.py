"""Text of a Markdown file: headings, paragraphs and breaks, without notes, code, pictures and HTML."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from jobs.books.blocks import SCENE_BREAK, Block

MAX_LINES, MAX_MARKS = 100_000, 200_000
"""Of a file. The parser takes tens of microseconds for each; a long novel has a tenth of them."""
MAX_NESTING = 10  # of lists and quotations; the parser's time for a line grows with it
_MARKS = "*_[]<&`\\"
_NOTE_MARK = re.compile(r"\[\^[\w.-]{1,40}\](?!:)")
_NOTE_TEXT = re.compile(r"^\[\^[\w.-]{1,40}\]:.*(?:\n(?:[ \t]+\S.*|[ \t]*(?=\n[ \t]+\S)))*", re.MULTILINE)
_HEAD = re.compile(r"\A---[ \t]*\n((?:(?!---)[^\n]{0,400}\n){0,100})---[ \t]*\n")
_ENTRY = re.compile(r"""^(title|author)[ \t]*:[ \t]*["']?([^\n]{1,300}?)["']?[ \t]*$""", re.MULTILINE)


def read_markdown(text: str) -> tuple[list[Block], dict[str, str]]:
    """Return the blocks of a text, and ``title`` and ``author`` where the head of the file names them.

    Raises ``ValueError``: there is more to read in it than in a book.
    """
    n_lines, n_marks = text.count("\n"), sum(map(text.count, _MARKS))
    if n_lines > MAX_LINES or n_marks > MAX_MARKS:
        raise ValueError(f"has {n_lines:,} lines and {n_marks:,} signs of Markdown, more than any book")
    head = _HEAD.match(text)
    tags = dict(_ENTRY.findall(head[1])) if head else {}
    body = _NOTE_MARK.sub("", _NOTE_TEXT.sub("", text[head.end() :] if head else text))
    blocks: list[Block] = []
    level = 0
    for token in MarkdownIt("commonmark", {"html": True, "maxNesting": MAX_NESTING}).parse(body):
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "heading_close":
            level = 0
        elif token.type == "hr":
            blocks.append(SCENE_BREAK)
        elif token.type == "inline" and (words := " ".join(_words(token).split())):
            blocks.append(Block(words, level))
    return blocks, tags


def _words(inline: Token) -> str:
    """Return the words of a paragraph's tokens; ends of lines and pictures are spaces."""
    kept = (token for token in inline.children or [] if token.type != "html_inline")
    return "".join(token.content if token.type in ("text", "code_inline") else _space(token) for token in kept)


def _space(token: Token) -> str:
    return " " if token.type in ("softbreak", "hardbreak", "image") else ""
