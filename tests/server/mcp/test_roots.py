"""A client's own folders are allowed over stdio, in both eras, and never the whole disk or another machine's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest

from jobs.dataset.takes import Take
from server.mcp.roots import parse_roots

if TYPE_CHECKING:
    from conftest import App

pytestmark = pytest.mark.anyio
ERAS = {"2026-07-28": "auto", "2025-11-25": "legacy"}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with takes that no root holds, its name with a space."""
    folder = tmp_path / "my takes"
    folder.mkdir()
    (folder / "takes.jsonl").write_text(Take(audio="a.wav", text="One.", duration_s=1.0).model_dump_json() + "\n")
    return folder


def granting(*uris: str) -> dict[str, Any]:
    """Options of a client with these roots."""

    async def roots(context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=uri) for uri in uris])

    return {"list_roots_callback": roots}


@pytest.mark.parametrize("era", ERAS)
async def test_what_the_client_grants_is_read(era: str, app: App, outside: Path) -> None:
    async with app.client(ERAS[era], **granting(outside.as_uri())) as client:
        answer = await client.call_tool("rate_samples", {"takes": str(outside)})

    assert not answer.is_error
    assert answer.structured_content["to_rate"][0]["text"] == "One."


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("uri", ["file:///", "file:///nowhere/else", "file://another.machine/"])
async def test_what_it_does_not_grant_stays_refused(era: str, uri: str, app: App, outside: Path) -> None:
    async with app.client(ERAS[era], **granting(uri)) as client:
        answer = await client.call_tool("rate_samples", {"takes": str(outside)})

    assert answer.structured_content["error"]["code"] == "path_outside_roots"


async def test_over_http_a_clients_folders_are_another_machines(app: App, outside: Path) -> None:
    with app.http() as server:
        async with server.client("auto", **granting(outside.as_uri())) as client:
            answer = await client.call_tool("rate_samples", {"takes": str(outside)})

    assert answer.structured_content["error"]["code"] == "path_outside_roots"


async def test_folders_are_unquoted_and_whole(tmp_path: Path) -> None:
    told = types.ListRootsResult(roots=[types.Root(uri=(tmp_path / "a b").as_uri()), types.Root(uri="file:///")])

    assert parse_roots(told) == ((tmp_path / "a b").resolve(),)


@pytest.mark.parametrize(
    "uri",
    ["file:///", "file:////", "file:///.", "file:///%2e%2e/", "file:///etc", "file:///tmp/..", "file:///%00", "file:",
     Path.home().as_uri(), Path.home().parent.as_uri()],
)  # fmt: skip
async def test_folders_that_are_too_wide_or_no_folder_are_passed_over(uri: str) -> None:
    assert parse_roots(types.ListRootsResult(roots=[types.Root(uri=uri)])) == ()
