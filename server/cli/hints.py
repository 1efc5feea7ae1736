"""Text of an answer in the words of the shell: calls of tools as commands, arguments as flags."""

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from jobs.runner.call_text import GAP
from tools.core.registry import Tool, all_tools

_NAME = re.compile(r" (\w+)=")
_VALUE = r"(\"[^\"]*\"|[\w./:@+-]*[\w/]|\[[^\]]*\])"
_JSON = json.JSONDecoder()
SHORT_NAMES = {"list_jobs": "jobs"}  # of commands with flags only


def as_shell_text(text: str, tool: Tool | None = None) -> str:
    """Return a text in which ``align manifest="d/m.jsonl"`` reads ``./run.sh align --manifest d/m.jsonl``.

    A tool's name alone is a command where the text says to call it. A call that was cut short stays as it is. Arguments
    outside a call, such as ``dry_run=true``, become flags.

    Args:
        text: text of a tool or an error, as an agent gets it.
        tool: the tool that the text explains: its arguments become flags also without a value, such as ``dry_run``.
    """
    parts, at = [], 0
    for match in _calls().finditer(text):
        if match.start() < at:
            continue
        arguments, end = _arguments(text, match.end())
        if arguments is not None:
            parts += [_flags_in(text[at : match.start()]), command_line(match[0], arguments)]
            at = end
    shell = "".join([*parts, _flags_in(text[at:])])
    return shell if tool is None else _argument_names(tool.name).sub(lambda match: flag_name(match[0]), shell)


def command_line(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return ``./run.sh synthesize --texts 'One.' 'Two.'`` for a call; one that waits for a job shows its progress."""
    if tool == "get_job" and arguments.keys() == {"job_id", "wait_s"}:
        return f"./run.sh job {shlex.quote(arguments['job_id'])} --wait"
    if tool == "get_job" and arguments.keys() == {"job_id"}:
        return f"./run.sh job {shlex.quote(arguments['job_id'])}"
    return " ".join(
        [
            "./run.sh",
            SHORT_NAMES.get(tool, tool),
            *(word for name, value in arguments.items() for word in _words(name, value)),
        ]
    )


def flag_name(name: str) -> str:
    """Return the flag of an argument: ``--max-steps`` for ``max_steps``."""
    return "--" + name.replace("_", "-")


@cache
def _calls() -> re.Pattern[str]:
    names = "|".join(sorted(all_tools(), key=len, reverse=True))
    return re.compile(rf"(?<![\w./-])(?:(?<=[Cc]all )({names})(?![\w=])|({names})(?= \w+=))")


@cache
def _settings() -> re.Pattern[str]:
    names = {name for tool in all_tools().values() for name in tool.args.model_fields}
    return re.compile(rf"(?<![\w./=,-])({'|'.join(sorted(names, key=len, reverse=True))})={_VALUE}(?![\w./:@+-]*,\w)")


@cache
def _argument_names(tool: str) -> re.Pattern[str]:
    """Match the arguments of a tool that no word of English equals, those with an underscore."""
    names = [name for name in all_tools()[tool].args.model_fields if "_" in name]
    if not names:
        return re.compile("(?!)")  # matches nothing, unlike an empty choice
    return re.compile(rf"(?<![\w./=-])({'|'.join(sorted(names, key=len, reverse=True))})(?!\w|[./]\w|[=(])")


def _flags_in(text: str) -> str:
    """Replace ``name=value`` by ``--name value``, where the name is an argument of a tool."""

    def flag(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        if value in ("true", "false"):
            return flag_name(name if value == "true" else f"no_{name}")
        return f"{flag_name(name)} {value}"

    return _settings().sub(flag, text)


def _arguments(text: str, at: int) -> tuple[dict[str, Any] | None, int]:
    """Read the ``name=value`` words from a position on; return them, None if one cannot be read, and their end."""
    arguments: dict[str, Any] = {}
    while (match := _NAME.match(text, at)) is not None:
        if text.startswith(GAP, match.end()):
            arguments[match[1]], at = GAP, match.end() + len(GAP)
            continue
        try:
            arguments[match[1]], at = _JSON.raw_decode(text, match.end())
        except (ValueError, RecursionError):
            return None, at
    return arguments, at


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag_name(name) if value else flag_name(f"no_{name}")]
    if value == GAP:
        return [flag_name(name), GAP]
    flag, texts = flag_name(name), [_text(each) for each in (value if isinstance(value, list) else [value])]
    if any(each.startswith("-") for each in texts):  # a word of its own would be read as a flag
        return [shlex.quote(f"{flag}={each}") for each in texts]
    return [flag, *map(shlex.quote, texts)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
