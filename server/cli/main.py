"""The shell's door. ``mcp`` comes first and alone: an agent's server does not wait for what other commands import.

Exit codes: 0 done, 1 the job failed or was cancelled, 2 bad input, 130 interrupted while waiting (the job goes on).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence

from jobs.errors import UserError
from jobs.settings import Settings
from server.cli.exit_codes import BAD_INPUT, DONE, FAILED, INTERRUPTED
from server.cli.serve import serve_command
from tools.core.errors import error_fields, error_text, unexpected


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    wants_json = "--json" in words
    try:
        if words[:1] == ["mcp"]:
            serve_command(words[1:])
            return DONE
        from server.cli.dispatch import dispatch

        return dispatch(words)
    except UserError as error:
        _tell_error(error, wants_json)
        return BAD_INPUT
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        logging.getLogger("tools").addHandler(logging.NullHandler())  # the file has the traceback; this is for a person
        logging.getLogger("tools").propagate = False
        _tell_error(unexpected(" ".join(words[:1]) or "run.sh", error, Settings.at_the_shell().home), wants_json)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _tell_error(error: UserError, wants_json: bool) -> None:
    if wants_json:
        sys.stdout.write(json.dumps(error_fields(error), ensure_ascii=False) + "\n")
    else:
        from server.cli.hints import as_commands

        sys.stderr.write(as_commands(error_text(error)).rstrip("\n") + "\n")
