"""Marks of print and of text formats that are no words of a book: removed before its words are matched and trained on.

Soft hyphens and zero-width characters, ligatures, words divided at line ends, initials set apart, page numbers on lines
of their own, marks of footnotes, emphasis of plain text formats, tags and entities of HTML, headings and links of
Markdown.
"""

import html
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice

MIN_PAGES = 3  # rising numbers on lines of their own; fewer may be headings
MAX_PAGE_STEP = 4
MOST_PAGES, MOST_INITIALS, MOST_DIVIDED = 100_000, 100_000, 1_000_000  # more of them are no book's
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_LIGATURES = dict(
    zip("\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06", ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True)
)
_DIVIDED = re.compile(r"(?<=[^\W\d_])[-‐]\n[^\S\n]{0,8}([^\W\d_]{1,40})")
_PAGE = re.compile(
    r"^[^\S\n]{0,40}[-–—\[(]?[^\S\n]?(?:page |p\. |seite |s\. )?(\d{1,4})[^\S\n]?[-–—\])]?[^\S\n]{0,40}$", re.M | re.I
)
_FOOTNOTE = re.compile(r"(?<=[\w.,;:!?”’\"»)])(?:\[\d{1,3}\]|[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,3})")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3})(?=\S)([^*_\n]{1,300}(?:\n[^*_\n]{1,300})?)(?<=\S)\1(?![\w*])")
_TAG = re.compile(r"</?(?P<name>[a-zA-Z][a-zA-Z0-9]{0,9})(?:\s[^<>]{0,300})?/?>")
_BREAKS = frozenset(("p", "br", "div", "li", "tr", "hr", "h1", "h2", "h3", "h4", "h5", "h6"))
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,5}|#x[0-9a-fA-F]{1,5});")
_HEADING = re.compile(r"^#{1,6}[^\S\n]{1,4}(?=\S)", re.M)
_LINK = re.compile(r"!\[[^\[\]\n]{0,200}\]\([^()\s]{1,300}\)|\[([^\[\]\n]{1,200})\]\([^()\s]{1,300}\)")
_INITIAL = re.compile(r"(?:^|(?<=\n\n))([^\W\d_])(\n{1,2}|[^\S\n])([^\W\d_]{1,40})")
_BLANK = re.compile(r"\s*")
_LONE_LETTERS = frozenset("AIOEYÀÉUÓЯАВИОСКУ")  # words of one letter in the languages with spaces


@dataclass(frozen=True)
class CleanText:
    """A text and what was changed in it: a kind, and how often."""

    text: str
    changes: dict[str, int]

    @property
    def note(self) -> str | None:
        """A sentence for the report; None when nothing was changed."""
        changed = [f"{n} {kind}" for kind, n in self.changes.items() if n]
        return f"Cleaned in the text: {', '.join(changed)}." if changed else None


def clean_book(text: str, *, is_parsed: bool = False) -> CleanText:
    """Remove what is no word of a book; words keep their order.

    With ``is_parsed`` tags and entities are left: the text is of an EPUB or a page, and ``<`` in it is a character.
    """
    changes: Counter[str] = Counter()

    def count(kind: str, found: tuple[str, int]) -> str:
        changes[kind] += found[1]
        return found[0]

    text = count("invisible characters", _INVISIBLE.subn("", text))
    text = count("ligatures", _LIGATURE.subn(lambda match: _LIGATURES[match[0]], text))
    if not is_parsed:
        text = count("tags", _TAG.subn(lambda tag: "\n" if tag["name"].lower() in _BREAKS else "", text))
        text = count("entities", _ENTITY.subn(lambda entity: html.unescape(entity[0]), text))
    text = count("links", _LINK.subn(lambda link: link[1] or "", text))
    text = count("marks of headings", _HEADING.subn("", text))
    text = count("marks of footnotes", _FOOTNOTE.subn("", text))
    text = count("marks of emphasis", _EMPHASIS.subn(r"\2", text))
    text = count("page numbers", _without_pages(text))
    text = count("words divided at line ends", _joined_at_line_ends(text))
    text = count("initials set apart", _with_initials_joined(text))
    return CleanText(text, dict(changes))


def _without_pages(text: str) -> tuple[str, int]:
    """Remove the numbers on lines of their own that rise by a few, as those of pages do."""
    found = list(islice(_PAGE.finditer(text), MOST_PAGES + 1))
    pages = [
        match
        for k, match in enumerate(found)
        if any(
            0 <= n < len(found) and 0 < (n - k) * (int(found[n][1]) - int(match[1])) <= MAX_PAGE_STEP
            for n in (k - 1, k + 1)
        )
    ]
    if len(pages) < MIN_PAGES or len(found) > MOST_PAGES:
        return text, 0
    parts: list[str] = []
    place = 0
    for match in pages:
        before = text[place : match.start()].rstrip()
        is_within = before[-1:].isalnum() or before[-1:] in (",", "-", "‐", ";")
        parts += [before, "\n" if is_within else "\n\n"]
        place = _BLANK.match(text, match.end()).end()  # type: ignore[union-attr]
    return "".join([*parts, text[place:]]), len(pages)


def _joined_at_line_ends(text: str) -> tuple[str, int]:
    """Join words that are divided at the end of a line; the hyphen stays in one that the text has elsewhere with it."""
    if _DIVIDED.search(text) is None:
        return text, 0
    with_hyphen = {word[0].lower() for word in re.finditer(r"[^\W\d_]{1,40}-[^\W\d_]{1,40}", text)}

    def join(match: re.Match[str]) -> str:
        before = re.search(r"[^\W\d_]*$", text[max(0, match.start() - 40) : match.start()])
        word = f"{before[0] if before else ''}-{match[1]}"
        return f"-{match[1]}" if word.lower() in with_hyphen or match[1][0].isupper() else match[1]

    return _DIVIDED.subn(join, text, count=MOST_DIVIDED)


def _with_initials_joined(text: str) -> tuple[str, int]:
    """Join the large first letter of a chapter with the rest of its word, where that is likelier than a word apart."""
    initials = (match for match in _INITIAL.finditer(text) if match[1].isupper() and match[3][0].islower())
    found = list(islice(initials, MOST_INITIALS + 1))
    if not 0 < len(found) <= MOST_INITIALS:
        return text, 0
    words = Counter(word[0].lower() for word in re.finditer(r"[^\W\d_]{1,40}", text))
    parts: list[str] = []
    place = n_joined = 0
    for match in found:
        joined = (match[1] + match[3]).lower()
        is_word_elsewhere = words[match[3].lower()] > 1
        if match[1] in _LONE_LETTERS and (is_word_elsewhere or "\n" not in match[2]):
            continue
        if words[joined] or not is_word_elsewhere:
            parts += [text[place : match.start(2)], match[3]]
            place = match.end()
            n_joined += 1
    return "".join([*parts, text[place:]]), n_joined
