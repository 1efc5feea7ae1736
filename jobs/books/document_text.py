"""Text of an XHTML or HTML document: one pass in linear time, without a tree.

Browsers repair broken markup in ways that cost quadratic time in ``html.parser`` and in every tree of nodes. Here each
``<`` is looked at once.
"""

import codecs
import contextlib
import html
import re
from collections.abc import Iterator

from jobs.books.blocks import SCENE_BREAK, Block

BREAKING = frozenset(
    [
        *("p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "section", "article"),
        *("tr", "table", "dt", "dd", "hr", "pre", "figcaption"),
    ]
)
HIDDEN = frozenset(["script", "style", "svg", "math", "rt", "rp"])
FALLBACK = "windows-1252"  # of old documents that declare nothing; decodes any byte but five
_BREAK = "\ue000"  # private use character: occurs in no text
# The same before a heading of level 1 to 6, for a rule, and around raised text.
_HEADINGS, _RULE, _RAISED, _LOWERED = "\ue001\ue002\ue003\ue004\ue005\ue006", "\ue007", "\ue008", "\ue009"
_MARKS_OF_BLOCKS = re.compile(f"[{_BREAK}-{_LOWERED}]")
_RAISED_NOTE = re.compile(f"{_RAISED}\\s?[\\[(]?(?:\\d{{1,3}}|[*†‡§])[\\])]?\\s?{_LOWERED}")
# EPUB 3's names of parts that are not read aloud, as ``epub:type`` or ``role``.
_NOT_SPOKEN = re.compile(
    r"""(?:epub:type|role)\s{0,8}=\s{0,8}["'](?:[\w-]{1,40}\s){0,8}"""
    r"""(?:doc-)?(?:noteref|footnotes?|endnotes?|rearnotes?|pagebreak|page-list|toc|backlink)\b"""
)
_CAN_BE_NOTES = frozenset(["a", "aside", "div", "section", "span", "sup", "p", "li", "ol", "nav"])
# Declared encodings that are believed. Python's own unpack archives and decode domain names, some in quadratic time.
_KNOWN = re.compile(r"utf-8|ascii|iso8859-\d+|cp125\d|cp9\d\d|koi8-\w|mac-\w+|gb\w+|big5\w*|euc_\w+|shift_jis\w*")
_DECLARED = re.compile(rb"""(?:encoding|charset)\s{0,8}=\s{0,8}["']?([\w.:-]{1,40})""")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LONG_REFERENCE = re.compile(r"&#[xX]?[0-9A-Fa-f]{9,}+;?")  # of no character; int() refuses 4,300 digits
_PIECE = re.compile(r"<(/?)([A-Za-z][^\s/<>]{0,40})?+([^<]*+)")
# The rest of a tag, with its end; quoted values may hold ">".
_ATTRIBUTES = re.compile(r"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")


def plain_text(document: bytes) -> str:
    """Return the text of a document's body: a line for each block, without scripts, pictures and ruby readings."""
    return "\n".join(_lines(document, is_marked=False))


def read_blocks(document: bytes) -> Iterator[Block]:
    """Iterate over headings, paragraphs and rules of a document, without notes and the marks that lead to them."""
    for line in _lines(document, is_marked=True):
        level = _HEADINGS.find(line[0]) + 1
        text = _MARKS_OF_BLOCKS.sub("", _RAISED_NOTE.sub("", line)).strip()
        if line[0] == _RULE:
            yield SCENE_BREAK
        if text:
            yield Block(text, level)


def _lines(document: bytes, *, is_marked: bool) -> list[str]:
    """Return the lines of a document that are not empty."""
    text = decode(document)
    if is_marked:
        text = _MARKS_OF_BLOCKS.sub("", text)
    text = _without(text, "<!--", "-->", keep=False)
    text = _without(text, "<![CDATA[", "]]>", keep=True)
    text = _LONG_REFERENCE.sub("", text)
    words = re.sub(r"\s+", " ", "".join(_visible_parts(text, is_marked=is_marked)))  # line ends of HTML mean nothing
    return [line for each in words.split(_BREAK) if (line := each.strip())]


def decode(document: bytes) -> str:
    """Decode a document by its mark, its declaration or, without these, as UTF-8 or windows-1252."""
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if document.startswith(mark)), None)
    declared = _DECLARED.search(document[:1024])
    for name in (marked, _known(declared[1].decode("latin-1")) if declared else None, "utf-8"):
        if name is not None:
            with contextlib.suppress(UnicodeError):
                return document.decode(name)
    return document.decode(FALLBACK, "replace")


def _known(name: str) -> str | None:
    try:
        name = codecs.lookup(name).name
    except (LookupError, UnicodeError):
        return None
    return name if _KNOWN.fullmatch(name) else None


def _without(text: str, opening: str, closing: str, *, keep: bool) -> str:
    """Remove or escape what stands between two marks; what is never closed stays as it is."""
    parts, position = [], 0
    while (start := text.find(opening, position)) >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            break
        parts.append(text[position:start])
        if keep:
            parts.append(html.escape(text[start + len(opening) : end]))
        position = end + len(closing)
    return "".join([*parts, text[position:]])


def _visible_parts(text: str, *, is_marked: bool) -> list[str]:
    """Return the texts of the body, with breaks where a block begins or ends.

    ``is_marked``: also with marks of headings, rules and raised text, and without notes.
    """
    first = text.find("<")
    parts = [html.unescape(text if first < 0 else text[:first])]
    hidden, depth = "", 0  # the outermost hidden element, and how many of its kind are open
    is_open = has_body = False
    for match in _PIECE.finditer(text):
        slash, name, rest = match.groups()
        is_text = name is None and not is_open and not slash and rest[:1] not in ("!", "?")
        end = -1 if is_text else _end_of_tag(rest)
        is_open = not is_text and end < 0  # a "<" within the tag: its end is in a later piece
        data = "<" + rest if is_text else rest[end + 1 :] if end >= 0 else ""
        tag = name.lower() if name else ""
        is_empty = rest[end - 1 : end] == "/" if end > 0 else False
        if hidden:
            if slash and (tag == hidden or (tag == "ruby" and hidden in ("rt", "rp"))):
                depth -= 1
            elif tag == hidden and hidden not in ("script", "style", "rt", "rp") and not is_empty:
                depth += 1
            if depth:
                continue
            hidden = ""
        elif not slash and not is_empty and (tag in HIDDEN or (is_marked and _is_note(tag, rest[: max(0, end)]))):
            hidden, depth = tag, 1
            continue
        elif tag in BREAKING:
            if parts[-1] is not _BREAK:
                parts.append(_BREAK)
            if is_marked and not slash:
                parts += _marks_of(tag)
        elif is_marked and tag == "sup":
            parts.append(_LOWERED if slash else _RAISED)
        elif tag == "body" and not slash and not has_body:
            parts, has_body = [_BREAK], True
        elif tag == "body" and slash and has_body:
            break
        if data:
            parts.append(html.unescape(data))
    return parts


def _is_note(tag: str, attributes: str) -> bool:
    return tag in _CAN_BE_NOTES and _NOT_SPOKEN.search(attributes) is not None


def _marks_of(tag: str) -> list[str]:
    if tag == "hr":
        return [_RULE, _BREAK]
    return [_HEADINGS[int(tag[1]) - 1]] if tag[0] == "h" else []


def _end_of_tag(rest: str) -> int:
    """Return the place of the ">" that ends a tag, or -1."""
    end = rest.find(">")
    if end >= 0 and ('"' in rest[:end] or "'" in rest[:end]):
        whole = _ATTRIBUTES.match(rest)
        return whole.end() - 1 if whole else end
    return end
