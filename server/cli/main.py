"""Entry point of the command line: runs a command and turns errors into messages and exit codes.

``mcp`` imports only its own modules, so that an agent's server starts fast.
"""

import json
import logging
import os
import sys
from collections.abc import Sequence

from jobs.config import read_settings
from jobs.errors import UserError
from jobs.imports import collection_paused
from jobs.installation import PROGRAM
from jobs.settings import Settings
from server.cli import BAD_INPUT, DONE, FAILED, INTERRUPTED
from server.cli.commands import PLAIN_COMMANDS
from tools.core.errors import error_fields, error_text, unexpected


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    wants_json = "--json" in words
    try:
        if words[:1] == ["mcp"]:
            settings = Settings.from_environment() if {"-h", "--help"} & set(words) else read_settings()
            PLAIN_COMMANDS["mcp"].load()(words[1:], settings, PLAIN_COMMANDS["mcp"].about)
            return DONE
        with collection_paused():
            from server.cli.dispatch import dispatch
        return dispatch(words)
    except UserError as error:
        _print_error(error, wants_json)
        return BAD_INPUT
    except BrokenPipeError:  # the reader, such as `| head`, closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        logging.getLogger("tools").addHandler(logging.NullHandler())  # the traceback goes to the file only
        logging.getLogger("tools").propagate = False
        unforeseen = unexpected(" ".join(words[:1]) or "run.sh", error, Settings.from_environment().home)
        _print_error(unforeseen, wants_json)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _print_error(error: UserError, wants_json: bool) -> None:
    if wants_json:
        sys.stdout.write(json.dumps(error_fields(error), ensure_ascii=False) + "\n")
        return
    text = error_text(error)
    if error.code != "internal_error":  # the wording needs all tools, and one that does not load may be the error
        from server.cli.hints import as_shell_text

        text = as_shell_text(text)
    sys.stderr.write(text.replace("./run.sh", PROGRAM).rstrip("\n") + "\n")
