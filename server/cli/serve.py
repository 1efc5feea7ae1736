"""``./run.sh mcp``: starts the MCP server on stdio or HTTP."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.config import read_config
from jobs.errors import UserError
from jobs.settings import Settings
from server.cli.flags import Parser

ONLY_OVER_HTTP = ("host", "port", "token_file", "allow_host")


def serve_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Serve until the client closes the connection or the process is ended.

    Raises:
        UserError: ``bad_usage``, or those of ``serve_http``.
    """
    parser = Parser(prog="./run.sh mcp", description=about)
    parser.add_argument("--http", action="store_true", help="streamable HTTP at /mcp instead of stdin and stdout")
    parser.add_argument("--host", help="address to listen on (127.0.0.1); any other needs --token-file or OAuth")
    parser.add_argument("--port", type=int, help="port (8765); 0: a free one, named on stderr")
    parser.add_argument(
        "--token-file", type=Path, metavar="F", help="bearer token's file, 0600; made if missing (HOME/http-token)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        metavar="NAME",
        help="another accepted Host header; repeatable",
    )
    options = parser.parse_args(words)
    given = [name for name in ONLY_OVER_HTTP if getattr(options, name) is not None]
    if given and not options.http:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UserError("bad_usage", f"{flags} is for HTTP.", "Add --http, or leave it out.")
    if not options.http:
        with _stdout_to_stderr():
            from server.mcp.stdio import serve_stdio  # takes 0.5 s
        _tell_roots(settings)
        serve_stdio(settings)
        return ""
    with _stdout_to_stderr():
        from server.mcp.http import serve_http
    changes = {name: getattr(options, name) for name in ("host", "port") if getattr(options, name) is not None}
    http = read_config(settings.home).http
    _tell_roots(settings)
    changes["allowed_hosts"] = (*http.allowed_hosts, *(options.allow_host or ()))
    serve_http(settings, http.model_copy(update=changes), options.token_file)
    return ""


def _tell_roots(settings: Settings) -> None:
    """Say on stderr that the server was started in no folder of work, as many clients do."""
    if settings.roots[0] != settings.home:
        return
    sys.stderr.write(
        "The working directory is the whole disk, a system folder or your home, so tools may not use it. They may "
        f"use {', '.join(map(str, settings.roots))}, and relative paths start from {settings.home}. Add folders with "
        f'TTS_TRAIN_ROOTS in the server\'s environment or roots = ["…"] in {settings.home / "config.toml"}.\n'
    )


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Redirect stdout to stderr while modules are imported: stdout is for protocol messages only.

    While the server runs, the SDK does the same.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)
