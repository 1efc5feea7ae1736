"""Roots: folders that the client allows, requested when a path lies outside all others, and used for that call only.

Over stdio only, where client and server share user and machine. The model cannot grant any: roots come from the
client's settings. Deprecated in 2026-07-28, where the request is part of a result and the call is repeated with the
roots.
"""

import os
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
import mcp_types as types
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from jobs.trust.wide_folders import is_too_wide
from server.mcp.elicitation import InputRequired

ROOTS = "roots"
ANSWER_WITHIN_S = 5.0  # a refused call waits this long for a client that declares roots and does not answer


def is_outside_roots(answer: object) -> bool:
    """Return True for the error of a path outside the allowed folders."""
    fields = answer.structured_content if isinstance(answer, types.CallToolResult) else None
    return bool((fields or {}).get("error", {}).get("code") == "path_outside_roots")


async def request_roots(
    context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> tuple[Path, ...]:
    """Return the client's folders; none if it has no roots or does not answer.

    Raises:
        InputRequired: the client has to be asked first (2026-07-28).
    """
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.roots is None:
        return ()
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        given = (params.input_responses or {}).get(ROOTS)
        if not isinstance(given, types.ListRootsResult):
            raise InputRequired(types.InputRequiredResult(input_requests=roots_request()))
        return parse_roots(given)
    try:
        with anyio.fail_after(ANSWER_WITHIN_S), warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            return parse_roots(await context.session.list_roots())
    except (TimeoutError, MCPError):
        return ()


def roots_request() -> dict[str, types.InputRequest]:
    """Return the request for roots in an ``input_required`` result."""
    return {ROOTS: types.ListRootsRequest()}


def parse_roots(result: types.ListRootsResult) -> tuple[Path, ...]:
    """Return the absolute local folders among a client's roots, except those that are too wide, like the whole disk.

    A client names the folder that the person has opened, which may be the home or the disk without being meant.
    """
    folders = []
    for root in result.roots:
        uri = urlsplit(str(root.uri))
        written = unquote(uri.path)
        is_local = uri.scheme == "file" and uri.netloc in ("", "localhost") and "\0" not in written
        if is_local and Path(written).is_absolute() and not is_too_wide(path := Path(os.path.realpath(written))):
            folders.append(path)
    return tuple(folders)
