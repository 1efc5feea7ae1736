"""``./run.sh web``: the application until Ctrl-C."""

import sys
from collections.abc import Sequence

from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.cli.flags import Parser
from server.stderr_log import log_to_stderr
from server.web.app import WebServer
from tools.core.tool_types import ToolContext


def web_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Serve the pages until Ctrl-C; their address goes to stderr.

    Raises:
        UserError: ``bad_usage``, ``port_taken``.
    """
    parser = Parser(prog="./run.sh web", description=about)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    options = parser.parse_args(list(words))
    log_to_stderr()
    with WebServer(ToolContext(settings, Runner(settings)), options.port) as server:
        sys.stderr.write(f"Open {server.url}  (Ctrl-C ends it; jobs go on)\n")
        sys.stderr.flush()
        server.serve()
    return ""
