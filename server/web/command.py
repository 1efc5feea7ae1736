"""``./run.sh web``: the application until Ctrl-C."""

import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.escaping import escape_line
from jobs.files.user_folder import expand_user
from jobs.http.addresses import is_everywhere, is_loopback
from jobs.http.token_file import read_or_create_token
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.cli.flags import Parser
from server.http.page_server import ADDRESS
from server.stderr_log import log_to_stderr
from server.web.app import WebServer
from tools.core.tool_types import ToolContext


def web_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Serve the pages until Ctrl-C; their address goes to stderr.

    Raises:
        UserError: as ``web_server``.
    """
    with web_server(words, settings, about) as server:
        sys.stderr.write(f"Open {escape_line(server.url)}  (Ctrl-C ends it; jobs go on)\n")
        if not is_loopback(server.host):
            sys.stderr.write(f"{tls_advice(server.port)}\n")
        sys.stderr.flush()
        server.serve()
    return ""


def web_server(words: Sequence[str], settings: Settings, about: str) -> WebServer:
    """Return the server for the words of a command line, ready to serve.

    Raises:
        UserError: ``bad_usage``, ``http_exposed``, ``token_file_unusable``, ``secret_exposed``, ``port_taken``.
    """
    parser = Parser(prog="./run.sh web", description=about)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument(
        "--host", default=ADDRESS, help="address to listen on (127.0.0.1); any other needs --token-file"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="F", help="file of the key in the first address, 0600; made if missing"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a proxy's name; repeatable, needs --token-file",
    )
    options = parser.parse_args(list(words))
    _refuse_exposure(options.host, options.allow_host, has_token=options.token_file is not None)
    log_to_stderr()
    token = read_or_create_token(expand_user(options.token_file).absolute()) if options.token_file else ""
    context = ToolContext(settings, Runner(settings))
    return WebServer(context, options.port, host=options.host, names=options.allow_host, token=token)


def tls_advice(port: int) -> str:
    """Return how to encrypt what other machines read."""
    return (
        "What other machines read is not encrypted, the key included. Put a proxy with TLS before it: ./run.sh web "
        f"--port {port} --token-file F --allow-host NAME, and caddy reverse-proxy --from NAME --to 127.0.0.1:{port}"
    )


def _refuse_exposure(host: str, names: Sequence[str], *, has_token: bool) -> None:
    """Refuse to be reached from other machines without a key that is kept. Raises ``UserError``: ``http_exposed``."""
    if (not is_loopback(host) or names) and not has_token:
        raise UserError(
            "http_exposed",
            f"{host} is reached from other machines." if not is_loopback(host) else "A proxy is to reach it.",
            "Add --token-file F: the key in the first address is kept there. Put a proxy with TLS before it.",
        )
    if is_everywhere(host) and not names:
        raise UserError(
            "http_exposed",
            f"{host} is every address, and no name by which browsers reach it is known.",
            "Add --allow-host NAME, or listen on one address.",
        )
