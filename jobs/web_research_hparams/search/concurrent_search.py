"""Concurrent search of all sources within a time limit, with the state, age and errors of each source."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

import anyio
from pydantic import BaseModel, Field

from jobs.web_research_hparams.search.http_client import FetchError, WebClient
from jobs.web_research_hparams.search.response_cache import ResponseCache
from jobs.web_research_hparams.search.response_parsers import Listing, Page, SearchQuery, SourceName
from jobs.web_research_hparams.search.sanitize import clean

TOTAL_TIMEOUT_S = 30.0
MAX_CONCURRENT = 6

Report = Callable[[float, float | None, str], Awaitable[None]]


async def ignore_progress(done: float, total: float | None, message: str) -> None:
    """Ignore progress."""


class SourceState(BaseModel):
    """Outcome for one source."""

    state: Literal["answered", "from_cache", "partly", "not_reached", "not_asked"]
    pages: int = 0
    age_days: float | None = Field(None, description="Of the oldest answer used; 0: asked now.")
    why: str = Field("", description="Errors.")


class Search(BaseModel):
    """Outcome of the search."""

    reached: bool = Field(description="At least one source answered now.")
    why: str = Field("", description="Reason for no request or no answer.")
    sources: dict[str, SourceState] = Field(default_factory=dict)
    seconds: float = 0.0


class _SourceNotes:
    """Notes on one source during the search."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.ages: list[float] = []
        self.errors: list[str] = []
        self.n_asked = self.n_settled = 0

    def state(self, timeout_s: float) -> SourceState:
        if self.n_settled < self.n_asked:
            self.errors.append(f"no answer within {timeout_s:g} s")
        age = max(self.ages, default=None)
        if age is None:
            return SourceState(state="not_reached", why=self._join_errors())
        state: Literal["answered", "from_cache", "partly"] = (
            "partly" if self.errors else "from_cache" if min(self.ages) > 0 else "answered"
        )
        return SourceState(state=state, pages=len(self.pages), age_days=round(age, 2), why=self._join_errors())

    def _join_errors(self) -> str:
        return clean("; ".join(dict.fromkeys(self.errors)), 240)


async def search_sources(
    queries: Sequence[SearchQuery],
    web: WebClient,
    cache: ResponseCache,
    *,
    max_age_days: float,
    refresh: bool = False,
    timeout_s: float = TOTAL_TIMEOUT_S,
    not_asked: Mapping[SourceName, str] | None = None,
    report: Report = ignore_progress,
) -> tuple[list[Page], Search]:
    """Send every query, and the queries that its response leads to.

    Responses older than ``max_age_days`` are requested again; an old one is used when its source is not reached.
    ``timeout_s`` is of the whole search; ``not_asked`` are sources that are not configured, with the reason. Returns
    the pages in the order of the queries, each address once, and the outcome. Network errors are part of the outcome.
    """
    started = time.monotonic()
    notes_by_source: dict[SourceName, _SourceNotes] = {query.source: _SourceNotes() for query in queries}
    limiter = anyio.CapacityLimiter(MAX_CONCURRENT)
    n_done = 0

    async def answer(query: SearchQuery) -> tuple[Listing, float]:
        identity = query.request.identity
        cached = cache.get(query.source, identity)
        if cached is not None and not refresh and cached.age_days <= max_age_days:
            return query.read(cached.text), max(cached.age_days, 1e-6)
        try:
            async with limiter:
                text = await web.text(query.request)
            listing = query.read(text)
        except FetchError as error:
            if cached is None:
                raise
            notes_by_source[query.source].errors.append(f"{error}; used an answer of {cached.age_days:.0f} days ago")
            return query.read(cached.text), max(cached.age_days, 1e-6)
        cache.put(query.source, identity, text)
        return listing, 0.0

    async def follow(query: SearchQuery) -> None:
        nonlocal n_done
        notes = notes_by_source[query.source]
        notes.n_asked += 1
        try:
            listing, age = await answer(query)
            notes.pages += listing.pages
            notes.ages.append(age)
        except FetchError as error:
            listing = Listing()
            notes.errors.append(str(error))
        notes.n_settled += 1
        n_done += 1
        await report(n_done, None, f"{query.source}: {len(notes.pages)} pages")
        async with anyio.create_task_group() as tasks:
            for follow_up in listing.follow_ups:
                tasks.start_soon(follow, follow_up)

    with anyio.move_on_after(timeout_s):
        async with web, anyio.create_task_group() as tasks:
            for query in queries:
                tasks.start_soon(follow, query)
    states = {str(source): notes.state(timeout_s) for source, notes in notes_by_source.items()}
    reached = any(0.0 in notes.ages for notes in notes_by_source.values())
    why = "" if reached else "; ".join(dict.fromkeys(state.why for state in states.values() if state.why))
    states |= {str(source): SourceState(state="not_asked", why=text) for source, text in (not_asked or {}).items()}
    pages = {page.url: page for notes in notes_by_source.values() for page in reversed(notes.pages)}
    seconds = round(time.monotonic() - started, 1)
    return list(pages.values()), Search(reached=reached, why=clean(why, 240), sources=states, seconds=seconds)
