"""One request to a loopback server: what is bounded, and what is refused."""

from __future__ import annotations

import gzip
from http.server import BaseHTTPRequestHandler

import anyio
import pytest

from jobs.web_research_hparams.search.http_client import MAX_BYTES, FetchError, Request, WebClient
from tests.jobs.web_research_hparams.services import Reply, Services

URL = "https://huggingface.co/page"
PAGE = ("huggingface.co", "/page")


def fetched(services: Services, request: Request | None = None, timeout_s: float = 20.0, search_url: str = "") -> str:
    async def fetch() -> str:
        async with WebClient(services.transport(), search_url, timeout_s) as web:
            return await web.text(request or Request(URL))

    return anyio.run(fetch)


def test_an_answer_is_read_and_the_client_says_who_it_is(services: Services) -> None:
    services.replies[PAGE] = Reply("Rate: 5·10⁻⁶".encode(), "text/plain; charset=utf-8")

    assert fetched(services, Request(URL, {"q": "a b"})) == "Rate: 5·10⁻⁶"
    ((host, path, headers),) = services.seen
    assert (host, path) == ("huggingface.co", "/page?q=a+b")
    assert headers["User-Agent"].startswith("tts-train/")
    assert not {"authorization", "cookie"} & {name.lower() for name in headers}


def test_an_answer_that_is_too_large_is_given_up_at_the_limit(services: Services) -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        try:
            while sent < 100 * MAX_BYTES:
                sent += handler.wfile.write(b"x" * 65_536)
        except OSError:
            pass

    services.replies[PAGE] = Reply(act=endless)

    with pytest.raises(FetchError, match="more than 512 kB"):
        fetched(services)
    assert sent < 50 * MAX_BYTES  # what lay in the sockets' buffers


def test_a_small_packed_answer_that_unpacks_to_anything_is_given_up_at_the_limit(services: Services) -> None:
    bomb = gzip.compress(b"x" * 30_000_000)
    services.replies[PAGE] = Reply(bomb, "text/plain", headers={"Content-Encoding": "gzip"})

    assert len(bomb) < 50_000
    with pytest.raises(FetchError, match="more than 512 kB"):
        fetched(services)


def test_a_packed_answer_of_a_server_that_packs_unasked_is_read(services: Services) -> None:
    services.replies[PAGE] = Reply(gzip.compress(b"well"), "text/plain", headers={"Content-Encoding": "gzip"})

    assert fetched(services) == "well"


@pytest.mark.parametrize(("encoding", "body"), [("br", b"x"), ("gzip", b"no gzip at all"), ("gzip, gzip", b"x")])
def test_what_cannot_be_unpacked_is_an_error(services: Services, encoding: str, body: bytes) -> None:
    services.replies[PAGE] = Reply(body, "text/plain", headers={"Content-Encoding": encoding})

    with pytest.raises(FetchError):
        fetched(services)


def test_a_server_that_never_finishes_is_left_after_the_time(services: Services) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        while not services.stop.wait(0.05):  # a byte now and then keeps a socket's own time-out from striking
            try:
                handler.wfile.write(b"x")
            except OSError:
                return

    services.replies[PAGE] = Reply(act=slow)

    with pytest.raises(FetchError, match=r"no answer within 0\.3 s"):
        fetched(services, timeout_s=0.3)


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/x", "//evil.example/x", "http://huggingface.co/x", "file:///etc/passwd",
     "javascript:alert(1)", "https://huggingface.co:444/x", "https://api.github.com/x"],
)  # fmt: skip
def test_a_redirect_to_another_place_is_refused(services: Services, location: str) -> None:
    services.replies[PAGE] = Reply(status=302, headers={"Location": location})

    with pytest.raises(FetchError, match=r"refused|not reached"):
        fetched(services)
    assert len(services.seen) == 1


def test_a_redirect_on_the_same_host_is_followed_twice_at_most(services: Services) -> None:
    services.replies[PAGE] = Reply(status=307, headers={"Location": "/moved"})
    services.replies["huggingface.co", "/moved"] = Reply(b"here", "text/plain")
    services.replies["huggingface.co", "/again"] = Reply(status=301, headers={"Location": "/again"})

    assert fetched(services) == "here"
    with pytest.raises(FetchError, match="more than 2 redirects"):
        fetched(services, Request("https://huggingface.co/again"))


@pytest.mark.parametrize(
    "url",
    ["http://huggingface.co/api", "https://localhost/api", "https://huggingface.co:8443/", "ftp://huggingface.co/",
     "https://user:secret@huggingface.co/", "https://huggingface.co.evil.example/", "file:///etc/passwd"],
)  # fmt: skip
def test_no_other_address_is_ever_asked(services: Services, url: str) -> None:
    with pytest.raises(FetchError, match=r"refused to fetch|not reached"):
        fetched(services, Request(url))
    assert services.seen == []


def test_the_configured_search_service_may_be_asked_at_its_very_address_only(services: Services) -> None:
    services.replies["search.lan", "/search"] = Reply(b"{}")

    assert fetched(services, Request("http://search.lan:8080/search"), search_url="http://search.lan:8080") == "{}"
    with pytest.raises(FetchError, match="refused to fetch"):
        fetched(services, Request("http://search.lan:8081/search"), search_url="http://search.lan:8080")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(status=403), "HTTP 403"),
        (Reply(status=429, headers={"Retry-After": "3600"}), "HTTP 429.*come back in 3600 s"),
        (Reply(status=429, headers={"Retry-After": "\x1b[2J"}), r"account is needed\)$"),
        (Reply(status=500), "HTTP 500"),
        (Reply(b"<html>log in</html>", "text/html"), "a web page, not data"),
        (Reply(b"\x00\x01", "application/octet-stream"), "another type"),
        (Reply(act=lambda handler: handler.connection.close()), "not reached"),
    ],
)
def test_an_answer_that_is_none_says_why(services: Services, reply: Reply, why: str) -> None:
    services.replies[PAGE] = reply

    with pytest.raises(FetchError, match=why):
        fetched(services)
