"""Connections over real sockets: none waits for ever, and none keeps the owner out."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import anyio
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from jobs.http.connections import MOST_CONNECTIONS, ConnectionLimits, connection_limits
from jobs.http.listener import http_server, open_socket

BOUND_S = 10.0
TIMEOUT_S = 0.3
LARGE_MB = 50
HEAD = b"POST / HTTP/1.1\r\nHost: here\r\n"


@dataclass
class Served:
    """A server whose answers to ``/wait`` come when it is asked to go on."""

    port: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer without reading the body."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/large":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(LARGE_MB):
                await send({"type": "http.response.body", "body": bytes(10**6), "more_body": True})
            self.left.set()
            return
        if scope["path"] == "/wait":
            self.entered.set()
            await anyio.to_thread.run_sync(self.go_on.wait, BOUND_S)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Open a connection and send something."""
        connection = socket.create_connection(("127.0.0.1", self.port), BOUND_S)
        connection.sendall(sent)
        return connection


@contextmanager
def serving(limits: ConnectionLimits) -> Iterator[Served]:
    """A real server in a thread."""
    served = Served()
    with open_socket("127.0.0.1", 0) as listener:
        served.port = listener.getsockname()[1]
        server = http_server(served, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield served
        finally:
            served.go_on.set()
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def impatient() -> Iterator[Served]:
    """A server that waits shortly for a request."""
    with serving(ConnectionLimits(100, TIMEOUT_S)) as served:
        yield served


def seconds_until_closed(connection: socket.socket, dribble: bytes = b"") -> float:
    """Read until the other side closes, and send a byte now and then."""
    began = time.monotonic()
    connection.settimeout(0.02 if dribble else BOUND_S)
    while time.monotonic() - began < BOUND_S:
        try:
            if dribble:
                connection.sendall(dribble)
            if not connection.recv(4096):
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - began


def read_answer(connection: socket.socket) -> bool:
    """Read one answer; return whether it is the whole one."""
    answer = b""
    while not answer.endswith(b"ok") and (part := connection.recv(4096)):
        answer += part
    return answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize(
    "sent",
    [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\n1", HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"],
    ids=["nothing", "half a head", "half a body", "half a chunk"],
)
def test_a_request_that_does_not_arrive_ends_the_connection(impatient: Served, sent: bytes) -> None:
    with impatient.connect(sent) as connection:
        assert seconds_until_closed(connection) < BOUND_S / 2


@pytest.mark.parametrize("sent", [HEAD + b"X: ", HEAD + b"Content-Length: 9000\r\n\r\n"], ids=["head", "answered body"])
def test_a_byte_now_and_then_gains_no_time(impatient: Served, sent: bytes) -> None:
    with impatient.connect(sent) as connection:
        assert TIMEOUT_S / 2 < seconds_until_closed(connection, dribble=b"a") < BOUND_S / 2


def test_a_second_request_has_as_long_as_the_first(impatient: Served) -> None:
    with impatient.connect(HEAD + b"Content-Length: 0\r\n\r\n") as connection:
        assert read_answer(connection)
        connection.sendall(HEAD)
        assert seconds_until_closed(connection, dribble=b"a") < BOUND_S / 2


def test_an_answer_that_is_not_read_ends_the_connection(impatient: Served) -> None:
    with impatient.connect(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n") as connection:
        assert impatient.left.wait(BOUND_S)
        n_bytes = 0
        with suppress(ConnectionError):
            while part := connection.recv(10**6):
                n_bytes += len(part)

    assert n_bytes < LARGE_MB * 10**6


def test_an_answer_that_is_read_comes_whole_however_long_it_takes(impatient: Served) -> None:
    with impatient.connect(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n") as connection:
        n_bytes = 0
        while n_bytes < LARGE_MB * 10**6 and (part := connection.recv(10**6)):
            n_bytes += len(part)

    assert n_bytes >= LARGE_MB * 10**6


def test_clients_that_read_nothing_keep_nobody_out() -> None:
    with serving(ConnectionLimits(4)) as served, ExitStack() as held:
        for _ in range(4):
            reader = held.enter_context(served.connect(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n"))
            assert reader.recv(10**5)  # more than a full buffer is on its way

        assert httpx.get(f"http://127.0.0.1:{served.port}/", timeout=BOUND_S).text == "ok"


def test_the_answer_may_take_longer_than_the_request(impatient: Served) -> None:
    with impatient.connect(b"GET /wait HTTP/1.1\r\nHost: here\r\n\r\n") as asking:
        impatient.entered.wait(BOUND_S)
        with impatient.connect() as later:
            seconds_until_closed(later)
        impatient.go_on.set()

        assert read_answer(asking)


def test_whoever_holds_all_connections_keeps_nobody_out() -> None:
    with serving(ConnectionLimits(4)) as served, ExitStack() as held:
        asking = held.enter_context(served.connect(b"GET /wait HTTP/1.1\r\nHost: here\r\n\r\n"))
        served.entered.wait(BOUND_S)
        silent = [held.enter_context(served.connect(HEAD)) for _ in range(20)]

        answer = httpx.get(f"http://127.0.0.1:{served.port}/", timeout=BOUND_S)
        served.go_on.set()

        assert answer.text == "ok"
        assert read_answer(asking)  # a request in progress is not given up for new ones
        assert all(seconds_until_closed(one) < BOUND_S / 2 for one in silent[:16])


def test_more_requests_in_progress_than_places_are_refused() -> None:
    with serving(ConnectionLimits(1)) as served, served.connect(b"GET /wait HTTP/1.1\r\nHost: here\r\n\r\n") as asking:
        served.entered.wait(BOUND_S)
        with served.connect(HEAD) as refused:
            assert seconds_until_closed(refused) < BOUND_S / 2
        served.go_on.set()
        assert read_answer(asking)


def test_connections_leave_descriptors_for_all_else() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
        few = connection_limits(32)
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096 if hard < 0 else min(4096, hard), hard))
        enough = connection_limits(32), connection_limits(200)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert few.most == 100
    assert [limits.most for limits in enough] == [MOST_CONNECTIONS, 800]
