"""The whole search against a loopback server: what is found, what is told of what is not, and the cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import anyio
import httpx
import pytest

from jobs.web_research_hparams.search.concurrent_search import Search, search_sources
from jobs.web_research_hparams.search.http_client import WebClient
from jobs.web_research_hparams.search.queries import SearchAccess, build_queries, find_missing_access
from jobs.web_research_hparams.search.response_cache import ResponseCache
from jobs.web_research_hparams.search.response_parsers import Page
from tests.jobs.web_research_hparams.services import BRAVE, SEARXNG, TAVILY, Reply, Services, reply

DAY_S = 86_400.0


@pytest.fixture
def searched(services: Services, tmp_path: Path) -> Callable[..., tuple[list[Page], Search]]:
    def run(
        access: SearchAccess | None = None,
        *,
        now: float = 0.0,
        timeout_s: float = 20.0,
        unplugged: bool = False,
        **more: object,
    ) -> tuple[list[Page], Search]:
        access = access or SearchAccess()
        transport = httpx.MockTransport(_no_network) if unplugged else services.transport()
        cache = ResponseCache(tmp_path / "cache", now=lambda: 1e9 + now)

        async def go() -> tuple[list[Page], Search]:
            return await search_sources(
                build_queries("0.6b", "full", "", 5, access), WebClient(transport, access.search_url), cache,
                max_age_days=7, timeout_s=timeout_s, not_asked=find_missing_access(access), **more,
            )  # fmt: skip

        return anyio.run(go)

    return run


def _no_network(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Name or service not known", request=request)


Searched = Callable[..., tuple[list[Page], Search]]


def test_every_source_answers_with_pages_of_its_own(searched: Searched) -> None:
    pages, went = searched()

    assert went.reached
    assert {page.url for page in pages} == {
        "https://arxiv.org/abs/2601.01234v2",
        "https://github.com/someone/voices/issues/7",
        "https://github.com/other/place/issues/8",
        "https://github.com/someone/voices",
        "https://huggingface.co/anna/Qwen3-TTS-12Hz-0.6B-Anna",
    }
    assert {name: state.state for name, state in went.sources.items()} == {
        "arxiv": "answered", "github_issues": "answered", "github_readmes": "answered", "huggingface": "answered",
        "github_code": "not_asked", "web_search": "not_asked",
    }  # fmt: skip
    assert went.sources["arxiv"].age_days == 0


@pytest.mark.parametrize(
    ("access", "answer", "path"),
    [
        (SearchAccess("brave", "http://search.lan", "k"), BRAVE, "/res/v1/web/search"),
        (SearchAccess("searxng", "http://search.lan"), SEARXNG, "/search"),
        (SearchAccess("tavily", "http://search.lan", "k"), TAVILY, "/search"),
    ],
)
def test_a_configured_search_service_is_asked_too(
    services: Services, searched: Searched, access: SearchAccess, answer: object, path: str
) -> None:
    services.replies["search.lan", path] = reply(answer)

    pages, went = searched(access)

    assert went.sources["web_search"].state == "answered"
    assert "https://blog.example/tuning" in {page.url for page in pages}
    assert services.posted == ([] if access.provider != "tavily" else [services.posted[0]])


def test_without_a_network_the_search_says_so_and_does_not_fail(searched: Searched) -> None:
    pages, went = searched(unplugged=True)

    assert (pages, went.reached) == ([], False)
    assert "Name or service not known" in went.why
    assert went.sources["arxiv"].state == "not_reached"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Reply(status=403), "HTTP 403"),
        (Reply(b"not json"), "not JSON"),
        (Reply(b"<html>", "text/html"), "a web page"),
        (Reply(status=302, headers={"Location": "https://evil.example/"}), "refused a redirect"),
    ],
)
def test_one_service_that_fails_does_not_cost_the_others(
    services: Services, searched: Searched, answer: Reply, why: str
) -> None:
    services.replies["api.github.com", "/search/issues"] = answer

    pages, went = searched()

    assert went.reached
    assert (went.sources["github_issues"].state, went.sources["huggingface"].state) == ("not_reached", "answered")
    assert why in went.sources["github_issues"].why
    assert len(pages) == 3


def test_a_page_behind_a_listing_that_fails_makes_its_source_partly_answered(
    services: Services, searched: Searched
) -> None:
    del services.replies["api.github.com", "/repos/someone/voices/readme"]

    _, went = searched()

    assert (went.sources["github_readmes"].state, went.sources["github_readmes"].why) == ("partly", "HTTP 404")


def test_a_service_that_hangs_is_named_and_costs_no_more_than_the_time(services: Services, searched: Searched) -> None:
    def hang(handler: BaseHTTPRequestHandler) -> None:
        services.stop.wait(60)

    services.replies["export.arxiv.org", "/api/query"] = Reply(act=hang)
    began = time.monotonic()

    pages, went = searched(timeout_s=1.5)

    assert time.monotonic() - began < 30  # half of what the service takes: the machine may be busy
    assert went.sources["arxiv"].why == "no answer within 1.5 s"
    assert went.sources["huggingface"].state == "answered"
    assert len(pages) == 4


def test_an_answer_is_used_again_while_it_is_young_and_says_its_age(services: Services, searched: Searched) -> None:
    first, _ = searched()
    n_asked = len(services.seen)

    again, went = searched(now=3 * DAY_S)

    assert again == first
    assert len(services.seen) == n_asked
    assert (went.reached, went.sources["arxiv"].state, went.sources["arxiv"].age_days) == (False, "from_cache", 3)


@pytest.mark.parametrize(("now", "refresh"), [(8 * DAY_S, False), (0.0, True)])
def test_an_answer_is_asked_anew_when_it_is_old_or_on_demand(
    services: Services, searched: Searched, now: float, refresh: bool
) -> None:
    searched()
    n_asked = len(services.seen)

    _, went = searched(now=now, refresh=refresh)

    assert len(services.seen) == 2 * n_asked
    assert went.sources["arxiv"].age_days == 0


def test_an_old_answer_serves_where_the_network_does_not(searched: Searched) -> None:
    first, _ = searched()

    pages, went = searched(now=30 * DAY_S, unplugged=True)

    assert pages == first
    assert not went.reached
    assert "used an answer of 30 days ago" in went.sources["arxiv"].why


def test_what_could_not_be_read_is_not_kept(services: Services, searched: Searched, tmp_path: Path) -> None:
    services.replies["export.arxiv.org", "/api/query"] = Reply(b"Rate exceeded.", "text/plain")

    searched()

    assert not list((tmp_path / "cache").glob("arxiv-*"))
    assert list((tmp_path / "cache").glob("huggingface-*"))


def test_progress_is_told_as_sources_answer(searched: Searched) -> None:
    told: list[str] = []

    async def report(done: float, total: float | None, message: str) -> None:
        told.append(message)

    searched(report=report)

    assert {message.split(":")[0] for message in told} == {"arxiv", "github_issues", "github_readmes", "huggingface"}
