"""The one check of Host and Origin, for the MCP server and every page."""

from __future__ import annotations

import httpx
import pytest
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse

from jobs.http.host_check import NO_KEY, HostCheck

pytestmark = pytest.mark.anyio
NAMES = ["a.localhost", "a.localhost:*"]
SECURITY = TransportSecuritySettings(allowed_hosts=NAMES, allowed_origins=[f"http://{name}" for name in NAMES])


async def status(secret_name: str = "", **headers: str) -> tuple[int, str]:
    """Status and text of the answer to a request with these headers."""
    app = HostCheck(PlainTextResponse("served"), SECURITY, secret_name=secret_name)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a.localhost:80") as client:
        answer = await client.get("/", headers=headers)
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("http://a.localhost", 200),
        ("http://a.localhost:8080", 200),
        ("http://a.localhost:80@evil.example", 403),
        ("http://a.localhost:80.evil.example", 403),
        ("http://a.localhost:", 403),
        ("http://b.localhost", 403),
        ("null", 403),
    ],
)
async def test_an_origin_is_a_name_and_a_port(origin: str, code: int) -> None:
    assert (await status(Origin=origin))[0] == code


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("a.localhost", 200),
        ("a.localhost:8080", 200),
        ("a.localhost:80@evil.example", 421),
        ("a.localhost:x", 421),
        ("evil.example", 421),
    ],
)
async def test_a_host_is_a_name_and_a_port(host: str, code: int) -> None:
    assert (await status(Host=host))[0] == code


async def test_without_the_secret_name_the_answer_says_what_is_missing() -> None:
    assert await status("a.localhost") == (200, "served")
    assert await status("a.localhost", Host="b.localhost") == (421, NO_KEY)
