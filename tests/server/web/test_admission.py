"""Who may open and change the pages."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from server.web.app import web_app

PAGES = ("/", "/datasets", "/datasets/anna", "/voices", "/listen", "/nothing", "/jobs/list", "/style.css")


def test_the_first_address_sets_a_strict_cookie_and_leads_to_the_jobs(browser) -> None:
    answer = TestClient(browser.client.app, base_url=str(browser.client.base_url)).get(f"/{browser.keys.first}")

    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert f"Path={browser.keys.root}/" in cookie
    assert browser.keys.first not in cookie
    assert f"url={browser.keys.root}/" in answer.text
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_without_the_cookie_there_is_nothing(browser, page: str) -> None:
    stranger = TestClient(browser.client.app, base_url=str(browser.client.base_url))

    for cookie in ("", "tts-train=", "tts-train=x", 'tts-train="\\', "tts-train=é".encode("latin-1")):
        answer = stranger.get(f"{browser.keys.root}{page}", headers={"Cookie": cookie})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_with_the_cookie_alone_but_not_the_path_there_is_nothing(browser) -> None:
    given = {"Cookie": f"tts-train={browser.keys.session}"}
    client = TestClient(browser.client.app, base_url=str(browser.client.base_url))

    assert [client.get(path, headers=given).status_code for path in ("/", "/x/", "/datasets")] == [403, 403, 403]


def test_another_host_name_of_this_address_is_refused(browser) -> None:
    assert browser.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert browser.get("/", headers={"Host": f"localhost:{browser.client.base_url.port}"}).status_code == 200


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:9", "https://127.0.0.1:4321"]
)
def test_a_write_that_comes_from_no_page_of_ours_is_refused(browser, origin: str | None) -> None:
    answer = browser.post("/datasets/anna/correct", origin, clip="book.m4b@0.000-4.000", action="drop", seen="")

    assert answer.status_code == 403
    assert not (browser.context.settings.home / "datasets" / "anna" / "corrections.jsonl").exists()


def test_a_write_of_another_site_is_refused_whatever_its_origin_says(browser) -> None:
    headers = {"Origin": str(browser.client.base_url), "Sec-Fetch-Site": "same-site"}

    assert browser.client.post(f"{browser.keys.root}/datasets/anna/apply", headers=headers).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_no_page_allows_scripts_within_itself_or_from_elsewhere(browser, page: str) -> None:
    answer = browser.get(page)

    if answer.headers["content-type"].startswith("text/html"):
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert "http:" not in answer.text.replace("http-equiv", "")
        assert " onclick" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_files_of_the_list_are_served(browser) -> None:
    assert browser.get("/static/app.js").status_code == 200
    assert browser.get("/vendor/htmx.org/htmx.min.js").status_code == 200
    for path in ("/static/..%2fapp.py", "/static/../app.py", "/vendor/htmx.org/package.json",
                 "/vendor/..%2f..%2f/app.py", "/vendor/x/LICENSE"):  # fmt: skip
        assert browser.get(path).status_code in (403, 404)


def test_two_runs_have_different_keys(browser) -> None:
    other = web_app(browser.context, type(browser.keys)(), 4321)

    client = TestClient(other, base_url=str(browser.client.base_url))
    assert client.get(f"/{browser.keys.first}").status_code == 403


def test_a_number_of_thousands_of_digits_is_no_defect(browser) -> None:
    for path in ("/books/x/chapters", "/jobs/x/samples"):
        assert browser.get(f"{path}/{'9' * 5000}").status_code == 414
