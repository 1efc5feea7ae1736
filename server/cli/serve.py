"""The command ``mcp``: which transport, where, and nothing on stdout that is not the protocol."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from jobs.errors import UserError
from jobs.settings import Settings
from server.cli.commands import OTHER_COMMANDS
from server.cli.flags import Parser

ONLY_OVER_HTTP = ("host", "port", "token_file", "allow_host")


def serve_command(words: Sequence[str]) -> None:
    """Serve until the client, or whoever started this, ends it.

    Raises:
        UserError: ``bad_usage``, ``settings_invalid``, or why HTTP cannot be served like this.
    """
    parser = Parser(prog="./run.sh mcp", description=OTHER_COMMANDS["mcp"])
    parser.add_argument("--http", action="store_true", help="streamable HTTP at /mcp instead of stdin and stdout")
    parser.add_argument("--host", help="address to listen on (127.0.0.1); any other needs --token-file or OAuth")
    parser.add_argument("--port", type=int, help="port (8765); 0: a free one, told on stderr")
    parser.add_argument(
        "--token-file", type=Path, metavar="F", help="bearer token's file, 0600; made if missing (HOME/http-token)"
    )
    parser.add_argument(
        "--allow-host", action="append", metavar="NAME", help="Host header to accept beside the address; repeatable"
    )
    options = parser.parse_args(words)
    settings = Settings.from_environment()
    given = [name for name in ONLY_OVER_HTTP if getattr(options, name) is not None]
    if given and not options.http:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UserError("bad_usage", f"{flags} is for HTTP.", "Add --http, or leave it out.")
    if not options.http:
        with stdout_kept_clean():
            from server.mcp.stdio import serve_stdio  # 0.5 s that no other command needs
        serve_stdio(settings)
        return
    with stdout_kept_clean():
        from server.mcp.http import serve_http
    changes = {name: getattr(options, name) for name in ("host", "port") if getattr(options, name) is not None}
    hosts = (*settings.http.allowed_hosts, *(options.allow_host or ()))
    http = replace(settings.http, allowed_hosts=hosts, **changes)
    serve_http(replace(settings, http=http), options.token_file)


@contextlib.contextmanager
def stdout_kept_clean() -> Iterator[None]:
    """Send what a module prints while it is imported to stderr: the first line that a client reads is the protocol's.

    While it serves, the SDK does the same.
    """
    sys.stdout.flush()
    wire = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(wire, 1)
        os.close(wire)
