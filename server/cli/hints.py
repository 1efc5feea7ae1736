"""Text of an answer in the words of the shell: calls of tools as commands, arguments as flags."""

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from jobs.escaping import escape_line
from jobs.runner.call_text import GAP
from tools.core.registry import Tool, all_tools

_NAME = re.compile(r" (\w+)=")
_STRING = r'"(?:[^"\\]|\\.)*"'
_VALUE = rf"({_STRING}|[\w./:@+-]*[\w/]|\[(?:{_STRING}|[^\]\"])*\])"
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
    while (match := _first_match(text, at)) is not None:
        parts.append(text[at : match.start()])
        written, end = _command(text, match) if match.re is _calls() else (_flag(match), match.end())
        # what cannot be read stays as it is
        parts.append(text[match.start() : end] if written is None else written)
        at = end
    shell = "".join([*parts, text[at:]])
    return shell if tool is None else _argument_names(tool.name).sub(lambda match: flag_name(match[0]), shell)


def command_line(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return ``./run.sh synthesize --texts 'One.' 'Two.'`` for a call; one that waits for a job shows its progress."""
    if tool == "get_job" and arguments.keys() == {"job_id", "wait_s"}:
        return f"./run.sh job {shell_word(_text(arguments['job_id']))} --wait"
    if tool == "get_job" and arguments.keys() == {"job_id"}:
        return f"./run.sh job {shell_word(_text(arguments['job_id']))}"
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


def shell_word(text: str) -> str:
    """Return a text as one word of the shell, in printable characters of one line.

    Characters that a terminal would obey, or that answers show as escapes, become bytes in ``$'…'``.
    """
    if escape_line(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(map(_ansi_c, text)) + "'"


def _ansi_c(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable() and character.isascii():
        return character
    is_raw_byte = "\udc80" <= character <= "\udcff"  # of a file's name that is no UTF-8
    encoded = character.encode("utf-8", errors="surrogateescape" if is_raw_byte else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in encoded)


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


def _first_match(text: str, at: int) -> re.Match[str] | None:
    """Return the first call or argument from a position on: what a value holds is part of the value."""
    found = [match for pattern in (_calls(), _settings()) if (match := pattern.search(text, at)) is not None]
    return min(found, key=lambda match: match.start(), default=None)


def _command(text: str, match: re.Match[str]) -> tuple[str | None, int]:
    """Return the command of a call, None where an argument cannot be read, and the end of what was read."""
    arguments, end = _arguments(text, match.end())
    return None if arguments is None else command_line(match[0], arguments), end


def _flag(match: re.Match[str]) -> str | None:
    """Return ``--name value`` for ``name=value``; None where the value cannot be read."""
    name, value = match[1], match[2]
    if value in ("true", "false"):
        return flag_name(name if value == "true" else f"no_{name}")
    if value[0] not in '"[':  # letters and marks that the shell takes as they are
        return f"{flag_name(name)} {value}"
    try:
        return " ".join(_words(name, json.loads(value)))
    except (ValueError, RecursionError):
        return None


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
        return [shell_word(f"{flag}={each}") for each in texts]
    return [flag, *map(shell_word, texts)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
