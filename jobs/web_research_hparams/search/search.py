"""Ask all sources at once, within a time limit; say of each what it answered, how old that is, and what failed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

import anyio
from pydantic import BaseModel, Field

from jobs.web_research_hparams.search.cache import ResponseCache
from jobs.web_research_hparams.search.http_client import FetchError, WebClient
from jobs.web_research_hparams.search.response_parsers import Listing, Page, SearchQuery, SourceName
from jobs.web_research_hparams.search.sanitize import clean

TOTAL_TIMEOUT_S = 30.0
MAX_CONCURRENT = 6

Report = Callable[[float, float | None, str], Awaitable[None]]


async def ignore_progress(done: float, total: float | None, message: str) -> None:
    """Progress for nobody."""


class SourceState(BaseModel):
    """What became of one source."""

    state: Literal["answered", "from_cache", "partly", "not_reached", "not_asked"]
    pages: int = 0
    age_days: float | None = Field(None, description="Of the oldest answer used; 0: asked just now.")
    why: str = Field("", description="What was not reached, and why.")


class Search(BaseModel):
    """How the search went."""

    reached: bool = Field(description="Something answered just now.")
    why: str = Field("", description="Why nothing was asked or answered.")
    sources: dict[str, SourceState] = Field(default_factory=dict)
    seconds: float = 0.0


class _SourceNotes:
    """Notes about one source while it is asked."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.ages: list[float] = []
        self.whys: list[str] = []
        self.n_asked = self.n_settled = 0

    def state(self, timeout_s: float) -> SourceState:
        if self.n_settled < self.n_asked:
            self.whys.append(f"no answer within {timeout_s:g} s")
        age = max(self.ages, default=None)
        if age is None:
            return SourceState(state="not_reached", why=self._why())
        state: Literal["answered", "from_cache", "partly"] = (
            "partly" if self.whys else "from_cache" if min(self.ages) > 0 else "answered"
        )
        return SourceState(state=state, pages=len(self.pages), age_days=round(age, 2), why=self._why())

    def _why(self) -> str:
        return clean("; ".join(dict.fromkeys(self.whys)), 240)


async def search(
    asks: Sequence[SearchQuery],
    web: WebClient,
    cache: ResponseCache,
    *,
    max_age_days: float,
    refresh: bool = False,
    timeout_s: float = TOTAL_TIMEOUT_S,
    not_asked: Mapping[SourceName, str] | None = None,
    report: Report = ignore_progress,
) -> tuple[list[Page], Search]:
    """Ask every question, and what its answer leads to.

    Args:
        asks: first questions.
        web: what may be asked.
        cache: answers of earlier searches; one that is too old still serves when the source is not reached.
        max_age_days: older answers are asked for again.
        refresh: ask for all again.
        timeout_s: for all of it.
        not_asked: sources that lack what they need, to be told.
        report: progress.

    Returns:
        Pages in the order of the questions, each address once, and what happened. Never raises for what a network can
        do.
    """
    started = time.monotonic()
    told: dict[SourceName, _SourceNotes] = {ask.source: _SourceNotes() for ask in asks}
    limiter = anyio.CapacityLimiter(MAX_CONCURRENT)
    n_done = 0

    async def answer(ask: SearchQuery) -> tuple[Listing, float]:
        identity = ask.request.identity
        cached = cache.get(ask.source, identity)
        if cached is not None and not refresh and cached.age_days <= max_age_days:
            return ask.read(cached.text), max(cached.age_days, 1e-6)
        try:
            async with limiter:
                text = await web.text(ask.request)
            listing = ask.read(text)
        except FetchError as error:
            if cached is None:
                raise
            told[ask.source].whys.append(f"{error}; used an answer of {cached.age_days:.0f} days ago")
            return ask.read(cached.text), max(cached.age_days, 1e-6)
        cache.put(ask.source, identity, text)
        return listing, 0.0

    async def follow(ask: SearchQuery) -> None:
        nonlocal n_done
        notes = told[ask.source]
        notes.n_asked += 1
        try:
            listing, age = await answer(ask)
            notes.pages += listing.pages
            notes.ages.append(age)
        except FetchError as error:
            listing = Listing()
            notes.whys.append(str(error))
        notes.n_settled += 1
        n_done += 1
        await report(n_done, None, f"{ask.source}: {len(notes.pages)} pages")
        async with anyio.create_task_group() as tasks:
            for further in listing.then:
                tasks.start_soon(follow, further)

    with anyio.move_on_after(timeout_s):
        async with web, anyio.create_task_group() as tasks:
            for ask in asks:
                tasks.start_soon(follow, ask)
    states = {str(source): notes.state(timeout_s) for source, notes in told.items()}
    reached = any(0.0 in notes.ages for notes in told.values())
    why = "" if reached else "; ".join(dict.fromkeys(state.why for state in states.values() if state.why))
    states |= {str(source): SourceState(state="not_asked", why=text) for source, text in (not_asked or {}).items()}
    pages = {page.url: page for notes in told.values() for page in reversed(notes.pages)}
    seconds = round(time.monotonic() - started, 1)
    return list(pages.values()), Search(reached=reached, why=clean(why, 240), sources=states, seconds=seconds)
