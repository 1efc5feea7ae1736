"""Escapes of characters that are not what they seem: terminal sequences, overrides of direction, hidden text.

Names and texts of strangers come into answers, errors, logs and a person's terminal. A character that moves the cursor,
turns the direction of text, or is not seen at all is shown as its escape in JSON, such as ``\\u001b`` and ``\\u202e``;
so is a lone surrogate, which no message could hold. Text that is JSON therefore stays JSON of the same content.
stdlib only.
"""

import re
from collections.abc import Mapping
from typing import Any

# Controls but tab and line feed, direction marks and overrides, separators of lines, invisible letters, surrogates.
_DECEPTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
    # selectors of a glyph's variant: one after a character is usual (emoji), more of them spell hidden text
    "|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]"
)


def escape(text: str) -> str:
    """Return a text of the same lines in which every deceptive character is its escape; the same when repeated."""
    return text if text.isascii() and text.isprintable() else _DECEPTIVE.sub(_escape, text)


def escape_line(text: str) -> str:
    """Return the same in one line, with line feeds as escapes: a name with one must not look like a new line."""
    return escape(text).replace("\n", "\\n")


def escaped(value: Any) -> Any:
    """Return plain data with all its strings and keys escaped; line feeds stay, for JSON keeps them in their string."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict | Mapping):
        return {escape(str(key)): escaped(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(part) for part in value]
    return value


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
