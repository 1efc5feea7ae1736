"""The command: who may reach the pages, and where answers of tools find them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from jobs.errors import UserError
from jobs.runner.client.web_page import find_page
from jobs.runner.paths import Home
from jobs.settings import Settings
from server.web.admission import Keys
from server.web.app import WebServer, web_app
from server.web.command import tls_advice, web_server
from tests.server.web.conftest import add_job
from tools.core.job_view import view_job

JOB = "training-20260101-000000-0001"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", envs=tmp_path / "envs", roots=(tmp_path,))


@pytest.mark.parametrize(
    ("words", "code"), [(["--host", "x" * 400], "port_taken"), (["--token-file", "a\0b"], "token_file_unusable")]
)
def test_what_is_no_name_is_an_error_of_the_call(settings: Settings, words: list[str], code: str) -> None:
    words = ["--token-file", str(settings.home / "token"), *words]
    with pytest.raises(UserError) as refused:
        web_server(words, settings, "about")

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "192.0.2.1"], "--token-file"), (["--host", "0.0.0.0"], "--token-file"),
        (["--allow-host", "voices.example"], "--token-file"),
        (["--host", "0.0.0.0", "--token-file", "TOKEN"], "--allow-host"),
    ],
)  # fmt: skip
def test_other_machines_need_a_kept_key_and_a_name(settings: Settings, words: list[str], said: str) -> None:
    given = [str(settings.home / "token") if word == "TOKEN" else word for word in words]

    with pytest.raises(UserError) as refused:
        web_server(given, settings, "")

    assert refused.value.code == "http_exposed"
    assert said in refused.value.hint


def test_behind_a_proxy_the_first_address_is_the_proxys_and_its_key_stays(settings: Settings) -> None:
    words = ["--token-file", str(settings.home / "token"), "--allow-host", "voices.example"]
    with web_server(words, settings, "") as one, web_server(words, settings, "") as other:
        assert one.url == other.url == f"https://voices.example/{one.keys.first}"
        assert one.keys.session != other.keys.session
    assert (settings.home / "token").stat().st_mode & 0o777 == 0o600
    assert "TLS" in tls_advice(8900)
    assert "caddy reverse-proxy --from NAME --to 127.0.0.1:8900" in tls_advice(8900)


def test_a_proxys_name_is_accepted_and_others_are_not(browser) -> None:
    keys = Keys()
    client = TestClient(web_app(browser.context, keys, 4321, ["voices.example"]), base_url="https://voices.example")

    first = client.get(f"/{keys.first}", headers={"X-Forwarded-Proto": "https"})

    assert "Secure" in first.headers["set-cookie"]
    assert client.get(f"{keys.root}/").status_code == 200
    assert client.get(f"{keys.root}/", headers={"Host": "evil.example"}).status_code == 421
    post = f"{keys.root}/datasets/anna/apply"
    assert client.post(post, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post(post, headers={"Origin": "https://voices.example"}).status_code == 400


@pytest.fixture
def served(browser) -> Iterator[WebServer]:
    with WebServer(browser.context) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        while not find_page(Home(browser.context.settings.home)):
            assert thread.is_alive()
        yield server
        server.stop()
        thread.join()


def test_answers_name_the_page_while_it_runs_and_never_its_key(browser, served: WebServer) -> None:
    home = browser.context.settings.home
    add_job(home, JOB, "cancelled", {"manifest": "m.jsonl"})
    runner = browser.context.runner
    address = f"http://127.0.0.1:{served.port}{served.keys.root}/jobs/{JOB}"

    assert view_job(runner.get(JOB), runner).next.endswith(f" People see it at {address}")
    assert served.keys.first not in Home(home).page.read_text()
    served.stop()
    while find_page(Home(home)):
        pass
    assert "People see it" not in view_job(runner.get(JOB), runner).next
