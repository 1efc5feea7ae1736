"""``./run.sh listen``: the listening page until Ctrl-C."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from jobs.dataset.takes import check_takes_file
from jobs.errors import UserError
from jobs.escaping import escape_line
from jobs.files.output_marks import HUMAN_RATINGS
from jobs.param_types import InputPath, Strict
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.cli.flags import Parser
from server.listening.app import ListeningServer
from server.listening.rating_session import RatingSession
from server.stderr_log import log_to_stderr
from tools.inputs.paths import resolve_paths


class ListenArgs(Strict):
    """Takes to rate."""

    takes: InputPath
    against: list[InputPath] = Field(default_factory=list)
    narrator: InputPath | None = None


def listen_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Serve the page until Ctrl-C; its address goes to stderr.

    Raises:
        UserError: as ``listening_server``.
    """
    log_to_stderr()
    with listening_server(words, settings, about) as server:
        sys.stderr.write(announcement(server.url, server.session.folder / HUMAN_RATINGS))
        sys.stderr.flush()
        server.serve()
    return ""


def announcement(url: str, ratings: Path) -> str:
    """Return the line that says where the page is, and where ratings go."""
    return f"Open {url}  (Ctrl-C ends it; ratings are saved in {escape_line(str(ratings))})\n"


def listening_server(words: Sequence[str], settings: Settings, about: str) -> ListeningServer:
    """Return the server for the words of a command line, ready to serve.

    Raises:
        UserError: ``bad_usage``, ``takes_missing``, ``no_common_text``, ``audio_missing``, ``port_taken``; of the
            paths.
    """
    parser = Parser(prog="./run.sh listen", description=about)
    parser.add_argument("takes", metavar="TAKES", help="takes.jsonl of synthesize, or its folder")
    parser.add_argument(
        "--against",
        metavar="TAKES",
        action="append",
        default=[],
        help="another voice's takes of the same texts, to compare blindly; may be given several times",
    )
    parser.add_argument("--narrator", metavar="WAV", help="a clip of the narrator, to hear beside the takes")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    options = parser.parse_args(list(words))
    given = ListenArgs(takes=options.takes, against=options.against, narrator=options.narrator)
    args = resolve_paths(given, settings, Runner(settings))
    against = [_takes_file(path) for path in args.against]
    narrator = Path(args.narrator) if args.narrator is not None else None
    if narrator is not None and not narrator.is_file():
        raise UserError("audio_missing", f"There is no file {narrator}.", "Check --narrator.")
    return ListeningServer(RatingSession(_takes_file(args.takes), against, narrator=narrator), options.port)


def _takes_file(path: str) -> Path:
    return check_takes_file(Path(path))
