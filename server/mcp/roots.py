"""Folders that a client grants: asked for when a path lies outside all others, and taken for that call only.

Over stdio alone, where the client is a program of the same person on the same machine: over HTTP its folders are
another machine's. The model cannot grant any: roots come from the client's own settings. Deprecated in 2026-07-28,
where the question is part of an answer and the call is made again with the roots.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
import mcp_types as types
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from server.mcp.elicitation import InputRequired

ROOTS = "roots"
OUTSIDE = "path_outside_roots"
ANSWER_WITHIN_S = 5.0  # a client that declares roots and does not answer costs this much, once a refused call


def is_outside(answer: object) -> bool:
    """True for the refusal of a path that lies outside the allowed folders."""
    fields = answer.structured_content if isinstance(answer, types.CallToolResult) else None
    return bool((fields or {}).get("error", {}).get("code") == OUTSIDE)


async def granted_roots(
    context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> tuple[Path, ...]:
    """The client's folders; none when it has no such thing or does not answer.

    Raises:
        InputRequired: the client has to be asked first (2026-07-28).
    """
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.roots is None:
        return ()
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        given = (params.input_responses or {}).get(ROOTS)
        if not isinstance(given, types.ListRootsResult):
            raise InputRequired(types.InputRequiredResult(input_requests=question()))
        return folders_of(given)
    try:
        with anyio.fail_after(ANSWER_WITHIN_S), warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            return folders_of(await context.session.list_roots())
    except (TimeoutError, MCPError):
        return ()


def question() -> dict[str, types.InputRequest]:
    """What a client is asked for its folders with."""
    return {ROOTS: types.ListRootsRequest()}


def folders_of(told: types.ListRootsResult) -> tuple[Path, ...]:
    """The absolute folders of this machine among a client's roots; the whole disk is none."""
    folders = []
    for root in told.roots:
        address = urlsplit(str(root.uri))
        path = Path(unquote(address.path))
        is_here = address.scheme == "file" and address.netloc in ("", "localhost")
        if is_here and path.is_absolute() and len(path.resolve().parts) > 1:
            folders.append(path.resolve())
    return tuple(folders)
