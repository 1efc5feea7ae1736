"""Parsers of responses of arXiv, GitHub, Hugging Face and search services.

A listing may lead to pages of the same service (READMEs, model cards), never to another one. Links are rebuilt or
checked, so that a page cannot claim another origin.
"""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from jobs.web_research_hparams.search.http_client import FetchError, Request
from jobs.web_research_hparams.search.sanitize import clean, to_plain_text

SourceName = Literal["arxiv", "github_issues", "github_readmes", "github_code", "huggingface", "web_search"]
MAX_TITLE = 160
MAX_FOLLOW_UPS = 4  # READMEs and model cards from one listing
_ATOM = "{http://www.w3.org/2005/Atom}"
GITHUB = "https://api.github.com"
_REPOSITORY = r"[A-Za-z0-9][\w.-]{0,99}/[\w.-]{1,100}"


@dataclass(frozen=True)
class Page:
    """Untrusted page; ``text`` is the output of ``to_plain_text``."""

    source: SourceName
    title: str
    url: str
    date: str
    text: str


@dataclass(frozen=True)
class Listing:
    """Pages of a response, and the queries that it leads to."""

    pages: list[Page] = field(default_factory=list)
    follow_ups: list[SearchQuery] = field(default_factory=list)


@dataclass(frozen=True)
class SearchQuery:
    """One query to one service, with the parser of its response."""

    source: SourceName
    request: Request
    read: Callable[[str], Listing]


def read_arxiv(text: str) -> Listing:
    """Parse the abstracts of an Atom feed.

    Raises ``FetchError``: not a feed, a feed that declares entities, or arXiv's own error entry.
    """
    # Without a DTD no entity is expanded and nothing external is fetched: the check of defusedxml in one line.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise FetchError("a feed that declares entities")
    try:
        feed = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise FetchError("not a feed") from error
    pages = []
    for entry in feed.iter(f"{_ATOM}entry"):
        number = re.search(r"arxiv\.org/abs/([\w.\-/]{1,40})$", _child(entry, "id"))
        if number is None:
            # arXiv answers a bad query with status 200 and one entry whose title is "Error".
            raise FetchError("arXiv did not understand the query")
        title, url = _child(entry, "title"), f"https://arxiv.org/abs/{number[1]}"
        pages.append(_page("arxiv", title, url, _child(entry, "updated"), " ".join(_child(entry, "summary").split())))
    return Listing(pages)


def read_github_issues(text: str) -> Listing:
    """Parse issues and pull requests of GitHub's search: bodies and matching fragments. Raises ``FetchError``."""
    pages = []
    for item in _items(text):
        found = re.fullmatch(
            rf"https://github\.com/({_REPOSITORY})/(?:issues|pull)/(\d{{1,9}})", str(item.get("html_url"))
        )
        if found is not None:
            title = f"{found[1]}#{found[2]}: {item.get('title') or ''}"
            body = "\n".join([str(item.get("body") or ""), *_fragments(item)])
            pages.append(_page("github_issues", title, found[0], item.get("updated_at"), body))
    return Listing(pages)


def read_github_code(text: str) -> Listing:
    """Parse matching fragments of code. Raises ``FetchError``."""
    pages = []
    for item in _items(text):
        repository = item.get("repository")
        name = str(repository.get("full_name")) if isinstance(repository, dict) else ""
        url = str(item.get("html_url"))
        if re.fullmatch(_REPOSITORY, name) and url.startswith(f"https://github.com/{name}/blob/"):
            pages.append(
                _page("github_code", f"{name}: {item.get('path')}", web_link(url), "", "\n".join(_fragments(item)))
            )
    return Listing([page for page in pages if page.url])


def read_github_repositories(text: str, headers: dict[str, str], max_results: int) -> Listing:
    """Parse repositories, each of which leads to its README. Raises ``FetchError``."""
    follow_ups = []
    for item in _items(text):
        name = str(item.get("full_name"))
        if re.fullmatch(_REPOSITORY, name) and ".." not in name:
            date = item.get("pushed_at")
            request = Request(f"{GITHUB}/repos/{name}/readme", {}, headers | {"Accept": "application/vnd.github+json"})
            follow_ups.append(SearchQuery("github_readmes", request, partial(_readme, name=name, date=date)))
    return Listing(follow_ups=follow_ups[: min(max_results, MAX_FOLLOW_UPS)])


def read_huggingface_models(text: str, max_results: int) -> Listing:
    """Parse models, each of which leads to its card, without the vendor's own. Raises ``FetchError``."""
    models = _json(text)
    if not isinstance(models, list):
        raise FetchError("not a list of the hub")
    follow_ups = []
    for item in _objects(models):
        identity = str(item.get("id"))
        if re.fullmatch(_REPOSITORY, identity) and ".." not in identity and not identity.startswith("Qwen/"):
            request = Request(f"https://huggingface.co/{identity}/raw/main/README.md")
            date = item.get("lastModified") or item.get("createdAt")
            follow_ups.append(SearchQuery("huggingface", request, partial(_card, name=identity, date=date)))
    return Listing(follow_ups=follow_ups[: min(max_results, MAX_FOLLOW_UPS)])


def read_brave(text: str) -> Listing:
    """Parse snippets of Brave's web search. Raises ``FetchError``."""
    answer = _json(text)
    web = answer.get("web") if isinstance(answer, dict) else None
    results = web.get("results") if isinstance(web, dict) else None
    return _snippets(results, lambda item: [item.get("description"), *_texts(item.get("extra_snippets"))], "page_age")


def read_searxng(text: str) -> Listing:
    """Parse snippets of a SearXNG instance (``format=json`` must be allowed in its settings). Raises ``FetchError``."""
    answer = _json(text)
    results = answer.get("results") if isinstance(answer, dict) else None
    return _snippets(results, lambda item: [item.get("content")], "publishedDate")


def read_tavily(text: str) -> Listing:
    """Parse snippets of Tavily. Raises ``FetchError``."""
    answer = _json(text)
    results = answer.get("results") if isinstance(answer, dict) else None
    return _snippets(results, lambda item: [item.get("content")], "published_date")


def _readme(text: str, name: str, date: object) -> Listing:
    answer = _json(text)
    if not isinstance(answer, dict) or answer.get("encoding") != "base64":
        raise FetchError("not a README of GitHub's API")
    try:
        content = base64.b64decode(str(answer.get("content")), validate=False).decode("utf-8", errors="replace")
    except ValueError as error:
        raise FetchError("a README that is not base64") from error
    return Listing([_page("github_readmes", f"{name}: README", f"https://github.com/{name}", date, content)])


def _card(text: str, name: str, date: object) -> Listing:
    return Listing([_page("huggingface", f"{name}: model card", f"https://huggingface.co/{name}", date, text)])


def _snippets(results: object, texts: Callable[[dict[str, Any]], list[Any]], date: str) -> Listing:
    if not isinstance(results, list):
        raise FetchError("not an answer of that search service")
    pages = []
    for item in _objects(results):
        url = web_link(str(item.get("url")))
        if url:
            text = "\n".join(str(part) for part in texts(item) if isinstance(part, str))
            pages.append(_page("web_search", item.get("title"), url, item.get(date), text))
    return Listing(pages)


def web_link(url: str) -> str:
    """Return a web address that is safe to show; empty for anything else (``javascript:``, a user name in it)."""
    if len(url) > 400 or not re.fullmatch(r"[\x21-\x7e]+", url) or re.search(r"[<>\"'`\\\s]", url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc else ""


def _page(source: SourceName, title: object, url: str, date: object, text: object) -> Page:
    return Page(source, clean(title or "", MAX_TITLE), url, parse_date(date), to_plain_text(text))


def parse_date(value: object) -> str:
    """Return the day of a time stamp; empty without one."""
    found = re.match(r"20\d{2}-[01]\d-[0-3]\d", str(value))
    return found[0] if found else ""


def _fragments(item: dict[str, Any]) -> list[str]:
    matches = item.get("text_matches")
    return [str(match.get("fragment") or "") for match in _objects(matches)] if isinstance(matches, list) else []


def _items(text: str) -> Iterable[dict[str, Any]]:
    answer = _json(text)
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise FetchError("not an answer of GitHub's search")
    return _objects(items)


def _child(entry: ElementTree.Element, name: str) -> str:
    return entry.findtext(f"{_ATOM}{name}") or ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FetchError("not JSON") from error


def _objects(items: Iterable[object]) -> Iterable[dict[str, Any]]:
    return (item for item in items if isinstance(item, dict))


def _texts(value: object) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else []
