"""Reading what the services answer: their real formats, and what is none of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.web_research_hparams.search.http_client import FetchError
from jobs.web_research_hparams.search.response_parsers import (
    read_arxiv,
    read_brave,
    read_github_code,
    read_github_issues,
    read_github_repositories,
    read_huggingface_models,
    read_searxng,
    read_tavily,
    web_link,
)
from tests.jobs.web_research_hparams.services import (
    BRAVE,
    CARD,
    CODE,
    FEED,
    ISSUES,
    MODELS,
    README,
    REPOSITORIES,
    SEARXNG,
    TAVILY,
    issue,
    readme,
)

READERS = [
    read_github_issues,
    read_github_code,
    lambda text: read_github_repositories(text, {}, 5),
    lambda text: read_huggingface_models(text, 5),
    read_brave,
    read_searxng,
    read_tavily,
]
BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><feed xmlns="http://www.w3.org/2005/Atom">&b;</feed>'
)


def test_a_feed_gives_abstracts_with_their_address() -> None:
    (page,) = read_arxiv(FEED).pages

    assert (page.title, page.url, page.date) == (
        "Tuning speech models",
        "https://arxiv.org/abs/2601.01234v2",
        "2026-01-09",
    )
    assert "learning rate of $3 \\times 10^{-6}$" in page.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Rate exceeded.", "not a feed"),
        (FEED[:300], "not a feed"),
        (BOMB, "entities"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><feed/>', "entities"),
        (FEED.replace("arxiv.org/abs/2601.01234v2", "arxiv.org/api/errors#x"), "did not understand"),
    ],
)
def test_what_is_no_feed_of_papers_is_an_error(text: str, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        read_arxiv(text)


def test_issues_give_their_words_and_the_fragments_that_matched() -> None:
    pages = read_github_issues(json.dumps(ISSUES)).pages

    assert [page.url for page in pages] == [
        "https://github.com/someone/voices/issues/7",
        "https://github.com/other/place/issues/8",
    ]
    assert pages[0].title == "someone/voices#7: Which rate?"
    assert pages[0].date == "2026-03-02"
    assert "learning rate 3e-6 worked" in pages[0].text


def test_repositories_lead_to_their_readmes_which_come_as_base64() -> None:
    (ask,) = read_github_repositories(json.dumps(REPOSITORIES), {"Authorization": "Bearer x"}, 5).follow_ups

    (page,) = ask.read(json.dumps(readme("someone/voices", README))).pages

    assert ask.request.url == "https://api.github.com/repos/someone/voices/readme"
    assert ask.request.headers["Authorization"] == "Bearer x"
    assert (page.url, page.date) == ("https://github.com/someone/voices", "2026-04-05")
    assert "| learning rate | 3e-6 |" in page.text


def test_models_lead_to_their_cards_but_not_those_of_the_vendor() -> None:
    (ask,) = read_huggingface_models(json.dumps(MODELS), 5).follow_ups

    (page,) = ask.read(CARD).pages

    assert ask.request.url == "https://huggingface.co/anna/Qwen3-TTS-12Hz-0.6B-Anna/raw/main/README.md"
    assert (page.url, page.date) == ("https://huggingface.co/anna/Qwen3-TTS-12Hz-0.6B-Anna", "2026-04-01")


def test_code_gives_fragments_with_their_file() -> None:
    (page,) = read_github_code(json.dumps(CODE)).pages

    assert page.url.startswith("https://github.com/modelscope/ms-swift/blob/main/")
    assert page.text == "--model Qwen/Qwen3-TTS-12Hz-1.7B-Base --learning_rate 1e-5"


@pytest.mark.parametrize(("read", "answer"), [(read_brave, BRAVE), (read_searxng, SEARXNG), (read_tavily, TAVILY)])
def test_general_search_gives_snippets_without_markup(read: object, answer: object) -> None:
    assert callable(read)
    (page,) = read(json.dumps(answer)).pages

    assert page.url == "https://blog.example/tuning"
    assert "2e-6" in page.text
    assert "<" not in page.title + page.text


@pytest.mark.parametrize("read", READERS, ids=range(len(READERS)))
@pytest.mark.parametrize(
    "text", ["<html>", "[1, 2", '{"items": 3, "results": 4, "web": []}', "[" * 100_000, "null", '"x"']
)
def test_what_is_no_answer_of_a_service_is_an_error(read: object, text: str) -> None:
    assert callable(read)
    with pytest.raises(FetchError):
        read(text)


@pytest.mark.parametrize(
    "answer", [{}, {"encoding": "none", "content": ""}, [], {"encoding": "base64", "content": "x"}]
)
def test_a_readme_that_is_none_is_an_error_or_empty(answer: object) -> None:
    (ask,) = read_github_repositories(json.dumps(REPOSITORIES), {}, 5).follow_ups

    try:
        pages = ask.read(json.dumps(answer)).pages
    except FetchError:
        pages = []
    assert all(page.text == "" for page in pages)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://user:pw@host/", "https://a b/", "//x",
     "", "https://x/\x1b[2J", 'https://x/"><script>', "http://[", "https://" + "x" * 500, "https:///nohost"],
)  # fmt: skip
def test_an_address_that_could_do_something_is_dropped(url: str) -> None:
    assert web_link(url) == ""
    assert read_searxng(json.dumps({"results": [{"url": url, "title": "t", "content": "lr 1e-6"}]})).pages == []


def test_links_that_leave_their_service_are_dropped() -> None:
    elsewhere = ["https://github.com.evil.example/a/b/issues/1", "https://github.com/a/b/issues/1?x=y", "javascript:x"]
    items = [issue("lr 1e-6") | {"html_url": url} for url in elsewhere]
    names = ["a/b/../c", "x", "../x", "a/..", "a/b?c", "a/b#c", "a b/c"]

    assert read_github_issues(json.dumps({"items": items})).pages == []
    assert read_huggingface_models(json.dumps([{"id": name} for name in names]), 9).follow_ups == []
    assert read_github_repositories(json.dumps({"items": [{"full_name": n} for n in names]}), {}, 9).follow_ups == []


_KEYS = ["items", "results", "web", "url", "html_url", "title", "body", "text_matches", "fragment", "full_name", "id",
         "repository", "description", "extra_snippets", "content", "encoding", "page_age"]  # fmt: skip
_VALUES = [None, True, 3, -1.5, "", "lr 1e-6", "https://x.example/", "javascript:alert(1)", "a/b", "base64",
           "https://github.com/a/b/issues/1"]  # fmt: skip
_ANY = st.recursive(
    st.sampled_from(_VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(_ANY)
def test_any_json_is_read_or_refused_and_gives_web_addresses_only(answer: object) -> None:
    for read in READERS:
        try:
            listing = read(json.dumps(answer))
        except FetchError:
            continue
        assert all(page.url.startswith(("https://", "http://")) for page in listing.pages)
        assert all(ask.request.url.startswith("https://") for ask in listing.follow_ups)
