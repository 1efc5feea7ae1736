"""What the services are asked, and with which keys."""

from __future__ import annotations

from jobs.web_research_hparams.search.queries import SearchAccess, build_queries, find_missing_access


def test_a_question_reaches_the_services_as_plain_words_only() -> None:
    asks = build_queries("0.6b", "lora", 'is:pr "takes" OR repo:x/y) never\nend?', 5, SearchAccess())

    queries = " ".join(str(value) for ask in asks for value in ask.request.params.values())
    assert "takes" in queries
    assert "repo:" not in queries
    assert '"takes"' not in queries


def test_what_needs_a_key_is_asked_with_it_only_and_else_named() -> None:
    plain, keyed = SearchAccess(), SearchAccess("brave", key="the-key", github_token="the-token")

    asked = {ask.source: ask.request for ask in build_queries("1.7b", "full", "", 5, keyed)}

    assert set(find_missing_access(plain)) == {"github_code", "web_search"}
    assert find_missing_access(keyed) == {}
    assert asked["web_search"].url == "https://api.search.brave.com/res/v1/web/search"
    assert asked["web_search"].headers["X-Subscription-Token"] == "the-key"
    assert asked["github_code"].headers["Authorization"] == "Bearer the-token"
    assert "Authorization" not in asked["huggingface"].headers
    assert "the-" not in repr(keyed) + repr(asked) + "".join(request.identity for request in asked.values())


def test_each_provider_is_asked_in_its_own_way() -> None:
    def ask(access: SearchAccess) -> tuple[str, object, object]:
        (found,) = [ask for ask in build_queries("1.7b", "full", "", 5, access) if ask.source == "web_search"]
        return (
            found.request.url,
            found.request.params.get("format"),
            found.request.body and found.request.body["max_results"],
        )

    assert ask(SearchAccess("searxng", "http://search.lan/")) == ("http://search.lan/search", "json", None)
    assert ask(SearchAccess("tavily", key="k")) == ("https://api.tavily.com/search", None, 5)
    assert ask(SearchAccess("brave", key="k")) == ("https://api.search.brave.com/res/v1/web/search", None, None)
