"""The MCP server for one client on stdin and stdout. It ends with the client; jobs continue."""

import os
import signal
import sys
import threading
import time

import anyio
from mcp.server.stdio import stdio_server

from jobs.settings import Settings
from server.mcp.server import build
from server.mcp.unreadable import AnsweredStream
from server.stderr_log import log_to_stderr

WATCH_EVERY_S = 2.0


def serve_stdio(settings: Settings) -> None:
    """Serve one client on stdin and stdout until it closes them or exits."""
    # anyio would turn SIGINT into a cancellation that waits for a reader thread blocked on stdin: measured > 8 s.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    log_to_stderr()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True, name="parent-watch").start()
    anyio.run(_serve, settings)


async def _serve(settings: Settings) -> None:
    async with stdio_server() as (incoming, outgoing):  # which redirects what the imports of tools may print
        try:
            server = build(settings, takes_roots=True)
            readable = AnsweredStream(incoming, outgoing)
            await server.run(readable, outgoing, server.create_initialization_options())
        finally:
            # while stdout is still redirected: buffered prints must not reach the protocol stream
            sys.stdout.flush()


def _end_with_parent(parent: int) -> None:
    """End when the parent has exited although another process keeps the pipe open; orphaned servers would pile up."""
    while os.getppid() == parent:
        time.sleep(WATCH_EVERY_S)
    os._exit(0)
