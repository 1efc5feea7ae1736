"""An HTML page as a test reads it: tags with their attributes, and the text."""

from __future__ import annotations

from html.parser import HTMLParser

# Breaks out of text, attributes, styles and templates that do not escape.
HOSTILE = """</style></title><script>alert(1)</script><img src=x onerror="alert(2)">'"&{{ 7 * 7 }}{% raw %}"""
# Elements and attributes of a page that runs nothing and loads nothing.
_ALLOWED_TAGS = frozenset(
    {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "span", "b", "i", "a", "img"}
    | {"audio", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "wbr", "svg", "path"}
)
_ALLOWED_ATTRIBUTES = frozenset(
    {
        "lang",
        "charset",
        "name",
        "content",
        "class",
        "src",
        "alt",
        "href",
        "controls",
        "preload",
        "tabindex",
        "preserveaspectratio",
        "scope",
        "colspan",
        "role",
        "aria-label",
        "viewbox",
        "width",
        "height",
        "d",
        "fill",
    }
    | {"style"}
)


class HtmlPage(HTMLParser):
    """A parsed page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Remember text."""
        self.text += data

    def sources(self, tag: str) -> list[str]:
        """Return where tags of a kind load from."""
        return [attrs.get("src") or "" for name, attrs in self.tags if name == tag]

    def assert_harmless(self) -> None:
        """Check that nothing in the page runs, and that all of it comes from the page or its folder."""
        assert {tag for tag, _ in self.tags} <= _ALLOWED_TAGS
        for _, attributes in self.tags:
            assert set(attributes) <= _ALLOWED_ATTRIBUTES
            for address in (attributes.get("src"), attributes.get("href")):
                assert address is None or address.startswith("data:") or ":" not in address
                assert address is None or not address.startswith("/")
