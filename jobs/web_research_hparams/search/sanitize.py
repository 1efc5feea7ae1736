"""Sanitising of untrusted text: no control characters, no markup, bounded length."""

import re
import unicodedata
from collections.abc import Iterator

MAX_TEXT = 24_000  # characters of a page; patterns run over all of them
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]{0,16}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|[@-_])")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_HIDDEN = re.compile(r"<(script|style|template|svg)\b.*?(?:</\1\s*>|\Z)", re.S | re.I)
_BREAK = re.compile(r"</?(?:p|div|br|li|tr|h\d|pre|table)\b[^<>]{0,300}>", re.I)
_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,300}>")
_TARGET = r"\((?:[^()\n]|\([^()\n]{0,200}\)){0,500}\)"
_IMAGE = re.compile(rf"!\[[^\[\]\n]{{0,300}}\]{_TARGET}")
_LINK = re.compile(rf"\[([^\[\]\n]{{1,300}})\]{_TARGET}")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&nbsp;": " ", "&times;": "×", "&amp;": "&"}


def to_plain_text(text: object) -> str:
    """Return the lines of visible text without markup; hidden text is removed."""
    plain = _TERMINAL.sub("", str(text)[: 4 * MAX_TEXT])
    plain = _HIDDEN.sub(" ", _COMMENT.sub(" ", plain))
    plain = _TAG.sub("", _BREAK.sub("\n", plain))
    plain = _LINK.sub(r"\1", _IMAGE.sub(" ", plain))
    for entity, character in _ENTITIES.items():
        plain = plain.replace(entity, character)
    lines = (" ".join(_visible(line).split()) for line in plain.replace("\r", "\n").split("\n"))
    return "\n".join(line for line in lines if line)[:MAX_TEXT]


def clean(text: object, longest: int) -> str:
    """Return plain text in one line, shortened."""
    line = " ".join(to_plain_text(str(text)[: 20 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def excerpt(text: str, start: int, end: int, longest: int) -> str:
    """Return a part of a text around ``text[start:end]``, cut at words."""
    if len(text) <= longest:
        return text
    margin = max(0, longest - (end - start) - 2) // 2
    first, last = max(0, start - margin), min(len(text), end + margin)
    part = text[first:last]
    if first > 0:
        part = "…" + part[part.find(" ") + 1 if " " in part[: start - first] else 0 :]
    if last < len(text):
        part = (part[: part.rfind(" ")] if " " in part[end - last :] else part) + "…"
    return part[:longest]


def sentences(line: str) -> Iterator[str]:
    """Yield the sentences of a line; a decimal point does not end one."""
    yield from (part for part in re.split(r"(?<=[.!?;])\s+(?=[A-Z0-9\"'(*`-])", line) if part)


def _visible(text: str) -> str:
    return "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
