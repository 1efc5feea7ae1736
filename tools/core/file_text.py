"""Text of a file for an agent: the words and figures of a page, the summary of a JSON report, else the beginning."""

import json
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from jobs.files.json_documents import parse_json
from jobs.files.reading import open_regular

LARGEST_PAGE_BYTES = 32 * 1024 * 1024  # a report with its clips' sound
MOST_ITEMS, FIRST_ITEMS = 6, 3  # of a list in a report
HIDDEN = frozenset({"style", "script", "svg", "template", "title"})
LINES = frozenset(
    {"p", "h1", "h2", "h3", "h4", "li", "tr", "div", "section", "table", "ul", "ol", "figcaption", "summary"}
)
HEADINGS = {"h1": "# ", "h2": "## ", "h3": "### "}


def read_text(path: Path, mime_type: str, most_bytes: int) -> tuple[str, bool]:
    """Return the text of a file, and whether it is cut."""
    is_page = mime_type == "text/html"
    with open_regular(path) as stream:
        if not is_page and mime_type != "application/json":
            content = stream.read(most_bytes + 1)
            return content[:most_bytes].decode("utf-8", errors="replace"), len(content) > most_bytes
        content = stream.read(LARGEST_PAGE_BYTES)
    text = content.decode("utf-8", errors="replace")
    shown = page_text(text) if is_page else summarise_json(text)
    return _fit(shown, most_bytes)


def page_text(html: str) -> str:
    """Return the words of a page in lines; cells of a table's row are parted by ``|``."""
    reader = _PageText()
    reader.feed(html)
    reader.close()
    return "\n".join(reader.lines())


def summarise_json(text: str) -> str:
    """Return a JSON document whose long lists show their beginning, end and number; what is no JSON as it is."""
    try:
        found = parse_json(text.encode())
    except (ValueError, RecursionError):
        return text
    return json.dumps(_shortened(found), ensure_ascii=False)


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(part) for name, part in value.items()}
    if isinstance(value, list) and len(value) > MOST_ITEMS:
        left = len(value) - FIRST_ITEMS - 1
        return [*map(_shortened, value[:FIRST_ITEMS]), f"… {left} more …", _shortened(value[-1])]
    return [_shortened(part) for part in value] if isinstance(value, list) else value


def _fit(text: str, most_bytes: int) -> tuple[str, bool]:
    content = text.encode()
    return content[:most_bytes].decode(errors="ignore"), len(content) > most_bytes


class _PageText(HTMLParser):
    """Collector of a page's words."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        """Begin a line for a block."""
        if tag in HIDDEN:
            self._hidden += 1
        elif tag in ("td", "th"):
            self._parts.append(" | ")
        elif tag in LINES:
            self._parts.append("\n" + HEADINGS.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        """End a line after a block."""
        if tag in HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in LINES:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep words that are shown."""
        if not self._hidden:
            self._parts.append(data.replace("\n", " "))

    def lines(self) -> list[str]:
        """Return the lines that hold words."""
        lines = (" ".join(line.split()).removeprefix("| ") for line in "".join(self._parts).split("\n"))
        return [line for line in lines if line.strip("#| ")]
