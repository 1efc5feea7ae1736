"""``./run.sh listen``: the listening page until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from jobs.dataset.takes import check_takes_file
from jobs.param_types import InputPath, Strict
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.cli.flags import Parser
from server.listening.app import ListeningServer
from server.listening.ratings import Listening
from tools.core.paths import resolve_paths

ABOUT = (
    "Listen to takes in a browser on this machine, give 1 to 5, choose blindly between two voices: "
    "listen TAKES [--against TAKES]."
)


class ListenArgs(Strict):
    """Whose takes."""

    takes: InputPath
    against: InputPath | None = None


def listening_server(words: Sequence[str], settings: Settings) -> ListeningServer:
    """The server that the words ask for, ready to serve.

    Raises:
        UserError: ``bad_usage``, ``takes_missing``, ``no_common_text``, ``port_taken``, those of the paths.
    """
    parser = Parser(prog="./run.sh listen", description=ABOUT)
    parser.add_argument("takes", metavar="TAKES", help="takes.jsonl of synthesize, or its folder")
    parser.add_argument(
        "--against", metavar="TAKES", help="another voice's takes of the same texts, to compare blindly"
    )
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    options = parser.parse_args(list(words))
    args = resolve_paths(ListenArgs(takes=options.takes, against=options.against), settings, Runner(settings))
    against = check_takes_file(Path(args.against)) if args.against is not None else None
    return ListeningServer(Listening(check_takes_file(Path(args.takes)), against), options.port)


def listen(words: Sequence[str], settings: Settings, tell: Callable[[str], None]) -> None:
    """Serve until Ctrl-C."""
    with listening_server(words, settings) as server:
        tell(f"Open {server.url}  (Ctrl-C ends it; what is said is in {server.listening.folder}/human_ratings.jsonl)")
        server.serve_forever()
