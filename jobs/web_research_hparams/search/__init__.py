"""Search of public sources for training settings: queries, bounded requests, parsing and a cache."""

from jobs.web_research_hparams.search.concurrent_search import TOTAL_TIMEOUT_S, Search, search_sources
from jobs.web_research_hparams.search.http_client import WebClient
from jobs.web_research_hparams.search.queries import SearchAccess, build_queries, find_missing_access
from jobs.web_research_hparams.search.response_cache import ResponseCache
from jobs.web_research_hparams.search.response_parsers import Page

__all__ = [
    "TOTAL_TIMEOUT_S",
    "Page",
    "ResponseCache",
    "Search",
    "SearchAccess",
    "WebClient",
    "build_queries",
    "find_missing_access",
    "search_sources",
]
