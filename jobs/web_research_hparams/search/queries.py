"""Queries to arXiv, GitHub, Hugging Face and a configured search service."""

import re
from dataclasses import dataclass, field
from typing import Literal

from jobs.web_research_hparams.knowledge import Method, ModelSize
from jobs.web_research_hparams.search.http_client import SEARCH_HOSTS, Request
from jobs.web_research_hparams.search.response_parsers import (
    GITHUB,
    SearchQuery,
    SourceName,
    read_arxiv,
    read_brave,
    read_github_code,
    read_github_issues,
    read_github_repositories,
    read_huggingface_models,
    read_searxng,
    read_tavily,
)

_MODEL = "Qwen3-TTS"


@dataclass(frozen=True)
class SearchAccess:
    """Configured access to search services, with its secrets; an empty ``provider`` is none.

    ``url`` is of a SearXNG instance, or of a stand-in for the other providers. ``github_token`` lifts GitHub's limits
    and allows its search of code.
    """

    provider: Literal["", "brave", "searxng", "tavily"] = ""
    url: str = ""
    key: str = field(default="", repr=False)
    github_token: str = field(default="", repr=False)

    @property
    def search_url(self) -> str:
        """Base address of general search; empty: none is configured."""
        return self.url.rstrip("/") or SEARCH_HOSTS.get(self.provider, "")


def build_queries(
    size: ModelSize, method: Method, question: str, max_results: int, access: SearchAccess
) -> list[SearchQuery]:
    """Build all first queries; of ``question`` only letters and digits are sent."""
    words = query_words(question)
    tuning = "LoRA" if method == "lora" else "fine-tuning"
    papers = (
        f'all:"{_MODEL}" OR (all:"text-to-speech" AND all:"{tuning}"' + "".join(f" AND all:{w}" for w in words) + ")"
    )
    issue_queries = [f"{_MODEL} learning rate", f"{_MODEL} {' '.join(words) or tuning}"]
    github = {"Accept": "application/vnd.github.text-match+json", "X-GitHub-Api-Version": "2022-11-28"}
    if access.github_token:
        github["Authorization"] = f"Bearer {access.github_token}"
    base = f"Qwen/{_MODEL}-12Hz-{size.upper()}-Base"
    relation = "adapter" if method == "lora" else "finetune"

    def github_search(what: str, query: str, **more: str) -> Request:
        return Request(f"{GITHUB}/search/{what}", {"q": query, "per_page": max_results, **more}, github)

    queries = [
        SearchQuery("arxiv", Request("https://export.arxiv.org/api/query", {
            "search_query": papers, "max_results": max_results, "sortBy": "relevance"}), read_arxiv),
        *(SearchQuery("github_issues", github_search("issues", f"{query} is:issue", sort="updated"), read_github_issues)
          for query in issue_queries),
        SearchQuery("github_readmes", github_search("repositories", f"{_MODEL} {tuning}", sort="stars"),
            lambda text: read_github_repositories(text, github, max_results)),
        *(SearchQuery("huggingface", Request("https://huggingface.co/api/models",
                                     {**query, "sort": "downloads", "limit": max_results}),
              lambda text: read_huggingface_models(text, max_results))
          for query in ({"search": _MODEL}, {"filter": f"base_model:{relation}:{base}"})),
    ]  # fmt: skip
    if access.github_token:
        queries.append(SearchQuery("github_code", github_search("code", f"{_MODEL} learning_rate"), read_github_code))
    if access.search_url:
        queries.append(
            _general_search(f"{_MODEL} {tuning} learning rate epochs {' '.join(words)}", max_results, access)
        )
    return queries


def find_missing_access(access: SearchAccess) -> dict[SourceName, str]:
    """Find sources that are not configured, each with the missing setting."""
    missing: dict[SourceName, str] = {}
    if not access.github_token:
        missing["github_code"] = "needs a token: [search] github_token_file in config.toml"
    if not access.search_url:
        missing["web_search"] = 'needs [search] provider = "brave", "searxng" or "tavily" in config.toml'
    return missing


def query_words(question: str) -> list[str]:
    """Return at most six words of letters and digits, without operators of a query language."""
    words = re.findall(r"[A-Za-z0-9]{3,30}", question)
    return [word for word in words if word.lower() not in {"and", "not", "the", "for", "what", "how", "which"}][:6]


def _general_search(query: str, max_results: int, access: SearchAccess) -> SearchQuery:
    base = access.search_url
    if access.provider == "brave":
        request = Request(f"{base}/res/v1/web/search", {"q": query.strip(), "count": max_results},
                          {"Accept": "application/json", "X-Subscription-Token": access.key})  # fmt: skip
        return SearchQuery("web_search", request, read_brave)
    if access.provider == "tavily":
        body = {"query": query.strip(), "max_results": max_results, "search_depth": "basic"}
        request = Request(f"{base}/search", {}, {"Authorization": f"Bearer {access.key}"}, body)
        return SearchQuery("web_search", request, read_tavily)
    headers = {"Authorization": f"Bearer {access.key}"} if access.key else {}
    return SearchQuery(
        "web_search", Request(f"{base}/search", {"q": query.strip(), "format": "json"}, headers), read_searxng
    )
