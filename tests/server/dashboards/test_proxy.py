"""The proxy before a dashboard: who gets through it, what it sends on and what it returns."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from server.dashboards.proxy import MAX_BODY_BYTES, DashboardServer


class Echo(BaseHTTPRequestHandler):
    """A dashboard that answers with what it was asked."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = [self.command, self.path, sorted((name.lower(), value) for name, value in self.headers.items())]
        answer = json.dumps([*asked, body.decode()]).encode()
        self.send_response(200)
        sent = {"Content-Length": str(len(answer)), "Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*"}
        if self.path != "/without-policy":
            sent["Content-Security-Policy"] = "default-src 'self'"
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_DELETE = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """HTTP server on a Unix socket."""

    daemon_threads = True

    def get_request(self) -> tuple[Any, Any]:
        return super().get_request()[0], ("", 0)


@contextmanager
def running(serve: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """A thread that serves."""
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()


@pytest.fixture(scope="module")
def echo() -> Iterator[Path]:
    """Socket of a dashboard that answers."""
    with (
        tempfile.TemporaryDirectory() as folder,  # pytest's are too long for the name of a socket
        UnixServer(f"{folder}/socket", Echo) as made,
        running(lambda: made.serve_forever(poll_interval=0.01), made.shutdown),
    ):
        yield Path(folder) / "socket"


@pytest.fixture(scope="module")
def server(echo: Path) -> Iterator[DashboardServer]:
    """The proxy before it, as for optuna-dashboard."""
    with DashboardServer(echo) as made, running(made.serve, made.stop):
        yield made


def ask(
    server: DashboardServer, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send one request as a browser that has the address; return status, headers, body."""
    given = {"Host": f"{server.key}.localhost:{server.port}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_the_page_is_reached_with_the_key_only(server: DashboardServer) -> None:
    key, port = server.key, server.port
    hosts = {
        f"{key}.localhost:{port}": 200,
        f"{key}.localhost:7000": 200,  # forwarded from another port
        f"127.0.0.1:{port}": 421,
        f"localhost:{port}": 421,
        "evil.example": 421,
        f"{key}.localhost.evil.example": 421,
        f"{'0' * 32}.localhost:{port}": 421,
        key: 421,
        "": 421,
    }

    assert {host: ask(server, "/api/studies", Host=host)[0] for host in hosts} == hosts
    assert server.url == f"http://{key}.localhost:{port}/"
    assert len(key) == 32


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8080", "https://a.localhost"])
def test_another_pages_request_is_refused_even_with_the_key(server: DashboardServer, origin: str) -> None:
    assert ask(server, "/", Origin=origin)[0] == 403
    assert ask(server, "/", Origin=server.url.rstrip("/"))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_nothing_can_be_changed(server: DashboardServer, method: str) -> None:
    assert ask(server, "/api/studies/1", method)[0] == 405


def test_tensorboards_page_reads_by_post_and_only_below_its_plugins(echo: Path) -> None:
    with DashboardServer(echo, reads_by_post=True) as server, running(server.serve, server.stop):
        check_posts(server)


def check_posts(server: DashboardServer) -> None:
    """Send what TensorBoard's page sends, and more."""
    form = {"Content_Type": "multipart/form-data; boundary=x"}
    place = "/experiment/defaultExperimentId/data/plugin/timeseries/timeSeries"

    status, _, answer = ask(server, place, "POST", b"--x--", **form)

    method, path, headers, body = json.loads(answer)
    assert (status, method, path, body) == (200, "POST", place, "--x--")
    assert ["content-type", "multipart/form-data; boundary=x"] in headers
    assert ask(server, "/data/plugin/scalars/scalars_multirun", "POST", b"")[0] == 200
    assert ask(server, "/data/runs", "POST", b"")[0] == 405
    assert ask(server, place, "DELETE")[0] == 405
    assert ask(server, place, "POST", b" " * (MAX_BODY_BYTES + 1))[0] == 413
    assert ask(server, place, "POST", b"", Origin="http://evil.example")[0] == 403


def test_a_path_is_sent_on_as_it_was_written_and_never_as_an_address(server: DashboardServer) -> None:
    for target in ("/static/..%2f..%2fsecret?a=%0d%0aX:y&b", "/a%20b", "/%00"):
        status, headers, answer = ask(server, target)
        assert (status, json.loads(answer)[1]) == (200, target)
        assert "X" not in headers
    assert json.loads(ask(server, "//evil.example/x")[2])[1] == "/evil.example/x"  # http.server takes one away
    assert ask(server, "http://evil.example/x")[0] == 404


def test_a_page_without_a_policy_of_its_own_loads_from_its_own_address_only(server: DashboardServer) -> None:
    """The notes of a study may be a stranger's, and name a picture elsewhere."""
    _, headers, _ = ask(server, "/without-policy")

    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self' ")
    assert "http" not in policy
    assert "*" not in policy


def test_secrets_of_other_pages_stay_here_and_no_cookie_comes_back(server: DashboardServer) -> None:
    _, headers, answer = ask(
        server, "/", Cookie="session=1", Authorization="Bearer t", Connection="Upgrade", Upgrade="websocket"
    )

    sent_on = dict(json.loads(answer)[2])
    assert not sent_on.keys() & {"cookie", "authorization", "upgrade"}
    assert headers["Set-Cookie"] is headers["Access-Control-Allow-Origin"] is None
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert len(headers.get_all("Date", [])) == 1


def test_the_page_waits_for_a_dashboard_that_is_starting_and_says_when_it_breaks_off() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX) as listener,
        DashboardServer(Path(folder) / "socket") as server,
        running(server.serve, server.stop),
    ):
        early = ask(server, "/")
        listener.bind(f"{folder}/socket")
        listener.listen()
        with running(lambda: listener.accept()[0].close(), lambda: None):
            broken = ask(server, "/")

    assert (early[0], early[1]["Refresh"]) == (503, "1")
    assert broken[0] == 502
    assert broken[2].startswith(b"The dashboard does not answer (R")


def test_a_page_reached_by_name_listens_on_both_loopback_addresses(server: DashboardServer) -> None:
    """A browser may try ``::1`` first, and would show its key to whoever listens there."""
    with socket.socket(socket.AF_INET6) as other, pytest.raises(OSError) as taken:
        other.bind(("::1", server.port))
    assert taken.value.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL)
