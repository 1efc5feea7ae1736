"""Answers to messages over stdio that cannot be read: the SDK drops them, and their sender would wait without end.

Such are calls with a lone surrogate, JSON that is nested too deeply, and what is no JSON-RPC at all.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import re
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream

_ID = r'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{0,200}")'
# For JSON that is too deep to be read: an id in a place where only the message's own can be.
_FIRST = re.compile(rf'\s*\{{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?{_ID}')
_LAST = re.compile(rf",\s*{_ID}\s*\}}\s*\Z")
_LONGEST_END = 300  # characters that hold the last id


class AnsweredStream:
    """The stream of a client's messages; those that cannot be read are answered with an error and left out."""

    def __init__(self, incoming: ReadStream[SessionMessage | Exception], outgoing: WriteStream[SessionMessage]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    @property
    def last_context(self) -> contextvars.Context | None:
        """Context of the newest message's sender."""
        context: contextvars.Context | None = getattr(self._incoming, "last_context", None)
        return context

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message that can be read."""
        while isinstance(item := await self._incoming.receive(), Exception):
            answer = refuse(item)
            if answer is not None:
                with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                    await self._outgoing.send(SessionMessage(answer))
        return item

    async def aclose(self) -> None:
        """Close the stream."""
        await self._incoming.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def refuse(error: Exception) -> types.JSONRPCError | None:
    """Return the answer to an unreadable message, with its id where that can be found; None to an empty line."""
    fault = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
    text = fault["input"] if fault is not None and fault["type"] == "json_invalid" else None
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    if isinstance(text, str):
        if not text.strip():
            return None
        message = f"Parse error: {fault['msg'] if fault is not None else ''}"
        return _error(types.PARSE_ERROR, message, _find_id(text))
    return _error(types.INVALID_REQUEST, "Invalid request: no message of JSON-RPC 2.0.", None)


def _find_id(text: str) -> int | str | None:
    try:
        message = json.loads(text)  # which takes lone surrogates and deeper nesting than the SDK
    except (ValueError, RecursionError):
        found = _FIRST.match(text) or _LAST.search(text[-_LONGEST_END:])
        return json.loads(found[1]) if found is not None else None
    return _plain_id(message.get("id")) if isinstance(message, dict) else None


def _plain_id(value: Any) -> int | str | None:
    """An id that can be sent back."""
    if isinstance(value, str):
        return value if value.isprintable() else None
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _error(code: int, message: str, identity: int | str | None) -> types.JSONRPCError:
    return types.JSONRPCError(jsonrpc="2.0", id=identity, error=types.ErrorData(code=code, message=message))
