"""``./run.sh gc``: deletes files of old finished jobs; without ``--yes`` it shows them, and asks at a terminal."""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence

from jobs.durations import EXAMPLES, parse_duration
from jobs.errors import UserError
from jobs.runner.client.garbage_collection import CollectableJob, Collection
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.cli.flags import Parser
from server.cli.render import size_text
from tools.core.subject import subject_of

DEFAULT_AGE = "30d"
MOST_LINES, MOST_SUBJECT = 40, 24
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def ask_at_a_terminal(question: str) -> bool:
    """Return whether the person at the terminal says yes; False where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def gc_command(
    words: Sequence[str], settings: Settings, about: str, ask: Callable[[str], bool] = ask_at_a_terminal
) -> str:
    """Show files of old finished jobs, or delete them with ``--yes`` or the person's consent; return the text to print.

    Raises:
        UserError: ``bad_usage``.
    """
    parser = Parser(prog="./run.sh gc", description=about)
    parser.add_argument("--older-than", metavar="AGE", help=f"age since the end: {EXAMPLES}; default: {DEFAULT_AGE}")
    parser.add_argument(
        "--max-size", metavar="SIZE", help="50G: delete oldest first until all finished jobs take no more"
    )
    parser.add_argument("--yes", action="store_true", help="delete; without it nothing changes")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(words)
    age = options.older_than or (DEFAULT_AGE if options.max_size is None else None)
    older_than_s = None if age is None else parse_age(age)
    max_bytes = None if options.max_size is None else _parse_size(options.max_size)
    runner = Runner(settings)
    act = runner.collect if options.yes else runner.collectable
    found = act(older_than_s=older_than_s, max_bytes=max_bytes)
    if options.json:
        answer = {
            "deleted": options.yes,
            "jobs": [vars(item) for item in found.taken],
            "bytes": found.taken_bytes,
            "kept_bytes": found.kept_bytes,
            "n_still_needed": found.n_referenced,
        }
        return json.dumps(answer) + "\n"
    if options.yes or not found.taken:
        return _describe(found, runner, is_done=options.yes)
    shown = _describe(found, runner, is_done=False)
    if ask(f"{shown}Delete these files?"):
        return _summarise(runner.collect(older_than_s=older_than_s, max_bytes=max_bytes), is_done=True) + "\n"
    kept = "Datasets, voices and files outside of jobs' folders are never touched."
    return f"{shown}Nothing was changed. Add --yes to delete. {kept}\n"


def _describe(found: Collection, runner: Runner, *, is_done: bool) -> str:
    """List the jobs with what they are about, and what of theirs stays."""
    lines = [_line(item, runner) for item in found.taken[:MOST_LINES]]
    if len(found.taken) > MOST_LINES:
        lines.append(f"… and {len(found.taken) - MOST_LINES} more")
    lines.append(_summarise(found, is_done=is_done))
    kept = [path for item in found.taken for path in item.kept]
    if kept:
        lines += ["Voices and datasets in their folders stay:", *(f"  {path}" for path in kept[:MOST_LINES])]
    if found.n_referenced:
        lines.append(f"{found.n_referenced} more are old enough but are still needed by other jobs or schedules.")
    return "\n".join(lines) + "\n"


def _line(item: CollectableJob, runner: Runner) -> str:
    ended = time.strftime("%Y-%m-%d", time.gmtime(item.ended_at))
    about = subject_of(runner.get(item.job_id))
    return f"{item.job_id:44}{about[:MOST_SUBJECT]:26}{ended:12}{size_text(item.size_bytes):>10}"


def _summarise(found: Collection, *, is_done: bool) -> str:
    verb = "Deleted the files of" if is_done else "Would delete the files of"
    return (
        f"{verb} {len(found.taken)} finished jobs, {size_text(found.taken_bytes)}; {size_text(found.kept_bytes)} stay."
    )


def parse_age(text: str) -> float:
    """Return the seconds of an age. Raises ``UserError`` ``bad_usage``."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UserError("bad_usage", f"{error}.", "./run.sh gc --help") from error


def _parse_size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text.strip())
    if match is None:
        raise UserError("bad_usage", f"{text!r} is not a size: 500M or 50G.", "./run.sh gc --help")
    return int(float(match[1]) * _UNITS[match[2]])
