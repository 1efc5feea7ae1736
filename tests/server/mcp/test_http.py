"""The server over HTTP is never open by accident: token, Host, Origin, sizes, rates, addresses. It ends at once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from jobs.config import HttpSettings
from jobs.errors import UserError
from jobs.http.host_check import HostCheck
from jobs.http.rate_limit import RateLimit, TokenBucket
from jobs.http.token_file import read_or_create_token
from server.http.auth import (
    MOST_KNOWN_TOKENS,
    FileTokenVerifier,
    IntrospectionVerifier,
    known_caller,
)
from server.mcp.http import accepted_hosts, is_loopback, refuse_exposure

if TYPE_CHECKING:
    from conftest import App, HttpServer, Until

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}


@pytest.fixture(scope="module")
def http(app: App) -> Iterator[HttpServer]:
    """A server with default settings."""
    with app.http() as server:
        yield server


def post(server: HttpServer, token: str | None = None, **changes: str) -> httpx.Response:
    """A first request, with other headers than a client's."""
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return httpx.post(server.url, headers=headers | named, content=json.dumps(HELLO))


def test_whoever_has_the_token_is_served_and_nobody_else(http: HttpServer) -> None:
    let_in, without = post(http, http.token), post(http)
    wrong, almost = post(http, "x" * 43), post(http, http.token[:-1])

    assert let_in.status_code == 200
    assert "tts-train" in let_in.text
    assert [answer.status_code for answer in (without, wrong, almost)] == [401, 401, 401]
    assert without.headers["WWW-Authenticate"].startswith("Bearer")
    assert "resource_metadata" not in without.headers["WWW-Authenticate"]  # there is no OAuth server to be sent to


@pytest.mark.parametrize(
    "header", [{"Host": "evil.example"}, {"Host": "localhost:80@evil.example"}, {"Host": "127.0.0.1.evil.example:80"}]
)
def test_a_request_for_another_host_is_refused_on_every_path(http: HttpServer, header: dict[str, str]) -> None:
    assert post(http, http.token, **header).status_code == 421
    assert httpx.get(http.url.replace("/mcp", "/health"), headers=header).status_code == 421
    assert httpx.get(http.url.replace("/mcp", "/nowhere"), headers=header).status_code == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost:80@evil.example", 403),
        ("http://localhost:x", 403),
        ("http://localhost:6274", 200),
    ],
)
def test_a_web_page_of_elsewhere_does_not_get_through(http: HttpServer, origin: str, status: int) -> None:
    assert post(http, http.token, Origin=origin).status_code == status


def test_health_tells_nothing_but_that_it_lives(http: HttpServer) -> None:
    answer = httpx.get(http.url.replace("/mcp", "/health"))

    assert answer.json() == {"status": "ok"}
    assert "server" not in answer.headers


def test_a_request_of_more_than_a_mebibyte_is_refused(http: HttpServer) -> None:
    headers = {"Authorization": f"Bearer {http.token}", "Content-Type": "application/json"}

    assert httpx.post(http.url, headers=headers, content=b" " * (1024 * 1024 + 1)).status_code == 413


def test_the_token_is_in_a_file_of_ours_alone_and_never_told(app: App, http: HttpServer) -> None:
    assert http.token_file == app.home / "http-token"
    assert http.token_file.stat().st_mode & 0o777 == 0o600
    assert len(http.token) == 43
    with app.http("--token-file", str(app.cwd / "other-token")) as other:
        assert other.token != http.token
        assert post(other, http.token).status_code == 401
        assert post(other, other.token).status_code == 200
        other.process.terminate()
        assert other.token not in other.process.communicate(timeout=20)[1]


def test_an_existing_token_is_kept_and_a_readable_or_short_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "home" / "token"
    first = read_or_create_token(path)

    assert read_or_create_token(path) == first
    path.chmod(0o640)
    with pytest.raises(UserError, match="can be read by other users"):
        read_or_create_token(path)
    path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(UserError, match="no token of at least 32"):
        read_or_create_token(path)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError):
        read_or_create_token(link)
    assert not (tmp_path / "elsewhere").exists()


def test_a_token_file_that_is_a_pipe_or_binary_is_refused_at_once(tmp_path: Path) -> None:
    pipe, binary = tmp_path / "pipe", tmp_path / "binary"
    os.mkfifo(pipe, 0o600)
    binary.write_bytes(b"\xff" * 64)
    binary.chmod(0o600)

    with pytest.raises(UserError) as refused:
        read_or_create_token(pipe)
    with pytest.raises(UserError, match="no token of at least 32"):
        read_or_create_token(binary)

    assert refused.value.code == "file_not_regular"


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--http", "--host", "0.0.0.0"], "http_exposed"),
        (["--http", "--host", "192.0.2.1"], "http_exposed"),
        (["--http", "--host", "0.0.0.0", "--token-file", "t"], "http_exposed"),
        (["--port", "1"], "bad_usage"),
        (["--http", "--port", "99999"], "address_unusable"),
        (["--http", "--port", "x"], "bad_usage"),
    ],
)
def test_a_careless_command_serves_nobody(app: App, flags: list[str], code: str) -> None:
    done = app.run("mcp", *flags)

    assert done.returncode == 2
    assert done.stderr.startswith(f"{code}: ")
    assert done.stdout == ""


def test_a_server_that_is_started_in_no_folder_of_work_says_which_it_may_use(app: App) -> None:
    done = app.run("mcp", "--http", "--port", "99999", TTS_TRAIN_CWD="/")

    assert "tools may not use it. They may use" in done.stderr
    assert str(app.home) in done.stderr


def test_a_port_that_is_taken_is_told_with_the_way_out(app: App, http: HttpServer) -> None:
    port = http.url.split(":")[2].removesuffix("/mcp")

    done = app.run("mcp", "--http", "--port", port)

    assert (done.returncode, done.stderr.split(":")[0]) == (2, "address_unusable")
    assert "--port" in done.stderr


def test_help_names_every_flag(app: App) -> None:
    told = app.run("mcp", "--help")

    assert told.returncode == 0
    assert all(flag in told.stdout for flag in ("--http", "--host", "--port", "--token-file", "--allow-host"))


def test_which_addresses_may_be_used_and_which_hosts_are_meant() -> None:
    lan = HttpSettings(host="192.0.2.1")
    everywhere = HttpSettings(host="0.0.0.0", allowed_hosts=("voices.example",))

    refuse_exposure(HttpSettings(), has_token_file=False)
    refuse_exposure(lan, has_token_file=True)
    refuse_exposure(everywhere, has_token_file=True)
    assert [is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost", "10.0.0.1", "me")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip
    assert accepted_hosts(lan, 8765) == ["192.0.2.1", "192.0.2.1:8765"]
    assert accepted_hosts(everywhere, 1) == ["voices.example", "voices.example:1"]
    assert "[::1]:8765" in accepted_hosts(HttpSettings(host="::1"), 8765)


def test_a_bucket_lets_twice_its_rate_through_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(10, now_s=0)

    waits = [bucket.acquire(0) for _ in range(21)]

    assert waits[:20] == [0] * 20
    assert waits[20] == pytest.approx(0.1)
    assert bucket.acquire(0.1) == 0
    assert bucket.acquire(0.1) > 0


@pytest.mark.anyio
async def test_too_many_requests_are_told_when_to_come_again() -> None:
    import anyio
    from mcp.server.transport_security import TransportSecuritySettings

    inside, leave = anyio.Event(), anyio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        inside.set()
        await leave.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    now = [0.0]
    guard = TransportSecuritySettings(allowed_hosts=["here"])
    limited = RateLimit(slow, max_concurrent=1, max_per_s=1, known_caller=lambda _: "me", clock=lambda: now[0])
    app = HostCheck(limited, guard)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        answers: list[httpx.Response] = []

        async def first() -> None:
            answers.append(await client.post("/mcp"))

        async with anyio.create_task_group() as group:
            group.start_soon(first)
            await inside.wait()
            busy = await client.post("/mcp")
            often = await client.post("/mcp")
            leave.set()
        now[0] = 3.0
        again = await client.post("/mcp")

    assert [answers[0].status_code, busy.status_code, often.status_code, again.status_code] == [200, 429, 429, 200]
    assert busy.headers["Retry-After"] == often.headers["Retry-After"] == "1"
    assert "are in progress" in busy.text
    assert "a second" in often.text


@pytest.fixture(scope="module")
def small(app: App) -> Iterator[HttpServer]:
    """A server with low limits and few descriptors."""
    config = app.home / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[http]\nmax_concurrent = 2\nmax_per_s = 4\nsession_idle_s = 2\n")
    with app.http(within=("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")) as server:
        config.unlink()
        yield server


def test_a_flood_without_the_token_is_slowed_down_and_takes_nothing_from_the_owner(small: HttpServer) -> None:
    with httpx.Client() as client:
        flood = [
            client.post(small.url, json=HELLO, headers={"Authorization": "Bearer x", "X-Forwarded-For": f"10.0.0.{n}"})
            for n in range(40)
        ]
        owner = [post(small, small.token).status_code for _ in range(2)]
        health = [client.get(small.url.replace("/mcp", "/health")).status_code for _ in range(20)]

    assert {answer.status_code for answer in flood} == {401, 429}
    assert sum(answer.status_code == 429 for answer in flood) > 20
    assert flood[-1].headers["Retry-After"] == "1"
    assert owner == [200, 200]
    assert set(health) == {200}


def test_sessions_are_bounded(small: HttpServer) -> None:
    statuses = {post(small, small.token).status_code for _ in range(3)}

    assert statuses <= {200, 429, 503}
    assert 503 in statuses


def test_sessions_that_nobody_uses_end_and_make_room(small: HttpServer, until: Until) -> None:
    """They locked out the owner of the token for half an hour."""
    until(lambda: post(small, small.token).status_code == 503)
    until(lambda: post(small, small.token).status_code == 200)


def test_more_connections_than_descriptors_neither_fill_the_log_nor_keep_the_owner_out(small: HttpServer) -> None:
    url = urlsplit(small.url)
    request = b"GET /health HTTP/1.1\r\nHost: \x1b]0;pwned\x07\r\n\r\n"
    with ExitStack() as held:
        for sent in [request[:-1]] * 200 + [request, b"\x1b\r\n\r\n"] * 20:
            connection = held.enter_context(socket.create_connection((url.hostname, url.port)))
            with suppress(ConnectionError):
                connection.sendall(sent)
        health = httpx.get(small.url.replace("/mcp", "/health"), timeout=30)
    small.process.terminate()
    said = small.process.communicate(timeout=20)[1]

    assert health.json() == {"status": "ok"}
    assert len(said) < 50_000
    assert "Host not allowed: \\x1b]0;pwned" in said
    assert "\x1b" not in said


OAUTH = HttpSettings(
    issuer_url="https://issuer.example",
    resource_server_url="http://127.0.0.1:8765/mcp",
    introspection_url="https://issuer.example/introspect",
    introspection_client_id="tts-train",
    required_scopes=("voices",),
)


@pytest.mark.anyio
async def test_a_token_is_what_the_authorization_server_says_it_is() -> None:
    told: dict[str, Any] = {"active": True, "client_id": "agent", "scope": "voices", "sub": "anna"}
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=told)

    verifier = IntrospectionVerifier(OAUTH, "s" * 32, httpx.MockTransport(answer))
    ours = await verifier.verify_token("t")
    told["aud"] = ["https://other.example", "http://127.0.0.1:8765/mcp/"]
    meant = await verifier.verify_token("t")
    told["iss"] = "https://evil.example"
    foreign = await verifier.verify_token("t")
    told.update(iss="https://issuer.example", active=False)
    revoked = await verifier.verify_token("t")
    told.update(active=True, exp="soon")
    strange = await verifier.verify_token("t")

    assert asked[0].content == b"token=t"
    assert asked[0].headers["Authorization"].startswith("Basic ")
    assert ours is not None
    assert (ours.client_id, ours.scopes, ours.subject, ours.resource) == ("agent", ["voices"], "anna", None)
    assert meant is not None
    assert meant.resource == "http://127.0.0.1:8765/mcp/"
    assert (foreign, revoked, strange) == (None, None, None)


@pytest.mark.anyio
async def test_a_token_that_was_right_is_known_until_it_is_wrong() -> None:
    told: dict[str, Any] = {"active": True, "client_id": "agent", "aud": OAUTH.resource_server_url}
    verifier = IntrospectionVerifier(OAUTH, "", httpx.MockTransport(lambda _: httpx.Response(200, json=told)))

    def caller(header: str) -> str | None:
        return known_caller({"type": "http", "headers": [(b"authorization", header.encode())]}, verifier)

    before = caller("Bearer t")
    for n in range(MOST_KNOWN_TOKENS + 3):
        await verifier.verify_token(f"other-{n}")
    await verifier.verify_token("t")
    known = [caller(header) for header in ("Bearer t", "bearer t", "Basic t", "Bearer other-0", "Bearer other-9", "")]
    told["active"] = False
    await verifier.verify_token("t")

    assert before is caller("Bearer t") is None
    assert [name is not None for name in known] == [True, True, False, False, True, False]
    assert known[0] == known[1]
    assert "t" not in known


@pytest.mark.anyio
async def test_nobody_is_let_in_while_the_authorization_server_cannot_be_asked() -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    failing = [down, lambda _: httpx.Response(500), lambda _: httpx.Response(200, text="no json")]

    assert [await IntrospectionVerifier(OAUTH, "", httpx.MockTransport(f)).verify_token("t") for f in failing] == [
        None
    ] * 3


def test_tokens_are_sent_over_https_only() -> None:
    with pytest.raises(UserError, match="is not https"):
        IntrospectionVerifier(OAUTH.model_copy(update={"introspection_url": "http://a.example/i"}))


@pytest.mark.anyio
async def test_an_oauth_client_is_told_where_to_get_a_token_and_needs_its_scope_and_resource(tmp_path: Path) -> None:
    from jobs.settings import Settings
    from server.mcp.http import http_app
    from server.mcp.server import build

    told: dict[str, Any] = {"active": True, "client_id": "agent", "scope": "voices", "aud": OAUTH.resource_server_url}
    verifier = IntrospectionVerifier(OAUTH, "", httpx.MockTransport(lambda _: httpx.Response(200, json=told)))
    settings = Settings(home=tmp_path, envs=tmp_path, roots=(tmp_path,))
    app = http_app(build(settings), OAUTH, verifier, port=8765, uses_oauth=True)
    base = "http://127.0.0.1:8765"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as client:
        metadata = await client.get("/.well-known/oauth-protected-resource/mcp")
        without = await client.post("/mcp", json=HELLO)
        told["scope"] = "other"
        scopeless = await client.post("/mcp", json=HELLO, headers={"Authorization": "Bearer t"})
        told.update(scope="voices", aud="https://other.example")
        misdirected = await client.post("/mcp", json=HELLO, headers={"Authorization": "Bearer t"})

    assert metadata.json()["authorization_servers"] == ["https://issuer.example"]
    assert metadata.json()["resource"] == OAUTH.resource_server_url
    assert metadata.json()["scopes_supported"] == ["voices"]
    assert f"{base}/.well-known/oauth-protected-resource/mcp" in without.headers["WWW-Authenticate"]
    assert (without.status_code, scopeless.status_code, misdirected.status_code) == (401, 403, 401)


@pytest.mark.anyio
async def test_the_file_token_takes_strange_bytes_for_a_wrong_token() -> None:
    assert await FileTokenVerifier("t" * 43).verify_token("tö" * 20) is None


@pytest.mark.parametrize("named", ["counting-2", None])
def test_a_task_that_the_header_does_not_name_is_refused(http: HttpServer, named: str | None) -> None:
    body = wait_for("counting-1") | {"method": "tasks/get"}
    body["params"] = {"_meta": body["params"]["_meta"], "taskId": "counting-1"}
    headers = {
        "Authorization": f"Bearer {http.token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tasks/get",
    }

    answer = httpx.post(http.url, json=body, headers=headers | ({"Mcp-Name": named} if named else {}))

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize(("number", "ends_with"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_signal_ends_it_at_once_even_while_a_call_waits_and_leaves_the_job_alone(
    app: App, number: signal.Signals, ends_with: int
) -> None:
    gate = app.cwd / f"gate-{number.name}"
    code, job = app.json("count-slowly", "--gate", gate.name, "--up-to", str(number + 20), "--no-wait")
    assert code == 0
    with app.http() as server:
        waiting = subprocess.Popen(
            [
                "curl", "-sN", server.url, "-H", f"Authorization: Bearer {server.token}",
                "-H", "Accept: application/json, text/event-stream", "-H", "Content-Type: application/json",
                "-H", "MCP-Protocol-Version: 2026-07-28", "-H", "Mcp-Method: tools/call", "-H", "Mcp-Name: get_job",
                "-d", json.dumps(wait_for(job["job_id"])),
            ],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        first = os.read(waiting.stdout.fileno(), 4000)  # its progress: the call is being answered
        began = time.monotonic()
        server.process.send_signal(number)
        status = server.process.wait(20)
        took_s = time.monotonic() - began
        waiting.kill()
        waiting.wait()
        waiting.stdout.close()

    assert b"notifications/progress" in first
    assert status == ends_with
    assert took_s < 15  # a second of grace for the call, which would wait for 50, and what a busy machine adds
    gate.touch()
    assert app.json("job", job["job_id"], "--wait")[1]["state"] == "succeeded"


def wait_for(job_id: str) -> dict[str, Any]:
    """A call that waits, as a client of 2026-07-28 makes it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": "p",
    }
    arguments = {"job_id": job_id, "wait_s": 50}
    params = {"_meta": meta, "name": "get_job", "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
