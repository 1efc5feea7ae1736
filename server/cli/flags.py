"""Command line flags generated from a tool's argument model: names, groups, types, defaults and help."""

import argparse
import json
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from jobs.errors import UserError
from jobs.installation import PROGRAM
from jobs.param_types import ModelMark, Strict, find_mark
from jobs.spelling import closest
from server.cli.commands import Command
from server.cli.hints import as_shell_text, command_line, flag_name
from tools.core.registry import Tool
from tools.core.tool_types import StartArgs

COMMON = {"--json": "one JSON object on stdout", "--wait": "", "--no-wait": "", "--help": "", "-h": ""}
Arguments = dict[str, Any]


# Order of the groups in --help. A model may name the group of a field (``Strict.HELP_GROUPS``); all others follow from
# the field's type.
GROUPS = ("input", "model", "training", "memory", "parameters", "output", "job")


class Parser(argparse.ArgumentParser):
    """``ArgumentParser`` that raises ``UserError`` instead of exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise ``UserError`` ``bad_usage``."""
        raise UserError("bad_usage", f"{self.prog}: {message}.", f"See {self.prog} --help")


def parser_for(command: Command, tool: Tool) -> argparse.ArgumentParser:
    """Build the parser of a command. Required arguments are checked by the model, not by the parser."""
    parser = Parser(
        prog=f"{PROGRAM} {command.name}",
        usage=_usage(command, tool),
        description=as_shell_text(tool.description, tool),
        epilog=_examples(tool),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for name in command.positionals:
        parser.add_argument(
            f"@{name}",
            metavar=name.upper(),
            nargs="?",
            help=f"the same as {flag_name(name)}",
            default=argparse.SUPPRESS,
        )
    for title, fields in grouped_fields(tool.args).items():
        group = parser.add_argument_group(title)
        for name, field in fields.items():
            others = [flag for flag, target in command.flags.items() if target == name and flag != flag_name(name)]
            _add_flag(group, [flag_name(name), *others], name, field, tool)
    for flag, about in command.words.items():
        parser.add_argument(flag, dest=f"@{flag}", metavar="TEXT", help=about)
    for flag, (name, value) in command.switches.items():
        parser.add_argument(flag, dest=name, action="store_const", const=value, help=f"{flag_name(name)} {value}")
    parser.add_argument("--json", dest="@json", action="store_true", default=False, help=COMMON["--json"])
    if can_wait(tool):
        parser.add_argument(
            "--wait",
            dest="@wait",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="wait for the job's end and show its progress: the default where a job is started",
        )
    return parser


def can_wait(tool: Tool) -> bool:
    """Return whether a tool's answer is about a job that can be waited for."""
    return tool.kind is not None or tool.name in ("get_job", "make_voice")


def _usage(command: Command, tool: Tool) -> str:
    required = [name for name, field in tool.args.model_fields.items() if field.is_required()]
    words = [name.upper() for name in command.positionals]
    aliases = {name: flag for flag, name in command.flags.items()}
    words += [f"{aliases.get(name, flag_name(name))} …" for name in required if name not in command.positionals]
    return " ".join([f"{PROGRAM} {command.name}", *words, "[--flags]"])


def grouped_fields(model: type[Strict]) -> dict[str, dict[str, FieldInfo]]:
    """Return a model's fields by the title of their group: common ones first, those that few calls need after them."""
    groups: dict[tuple[bool, int], dict[str, FieldInfo]] = {}
    for name, field in model.model_fields.items():
        is_rare = isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("rare"))
        groups.setdefault((is_rare, GROUPS.index(_group(model, name, field))), {})[name] = field
    return {
        GROUPS[place] + (", rarely needed" if is_rare else ""): groups[is_rare, place]
        for is_rare, place in sorted(groups)
    }


def read_flags(command: Command, tool: Tool, argv: Sequence[str]) -> tuple[Arguments, list[str], argparse.Namespace]:
    """Parse a command's words.

    Returns:
        Arguments for the tool by name (with unknown flags, so that the model refuses them with all other faults), notes
        for stderr, and the options ``@json`` and ``@wait``.

    Raises:
        UserError: ``bad_usage``.
    """
    parser = parser_for(command, tool)
    options, rest = parser.parse_known_args([_hyphens(word) for word in argv])
    given = vars(options)
    words = {flag: given.pop(f"@{flag}") for flag in command.words if f"@{flag}" in given}
    arguments = {name.removeprefix("@"): value for name, value in given.items() if name not in ("@json", "@wait")}
    if command.meaning is not None:
        arguments = command.meaning(words) | arguments
    unknown = [word for word in rest if word.startswith("--")]
    if rest and not unknown:
        raise UserError("bad_usage", f"{parser.prog}: unexpected argument {rest[0]!r}.", f"See {parser.prog} --help")
    for word in unknown:  # what follows one is its value
        near = closest(word, COMMON, cutoff=0.75)
        if near:
            why = f"{word} does not apply here." if word in COMMON else f"Unknown flag {word!r}; did you mean {near!r}?"
            raise UserError("bad_usage", why, f"See {parser.prog} --help")
        arguments[word.partition("=")[0].removeprefix("--").replace("-", "_")] = True
    arguments = {name: _objects(tool.args.model_fields.get(name), value) for name, value in arguments.items()}
    notes = []
    for name in command.lowered:
        value = arguments.get(name)
        if isinstance(value, str) and value != value.lower():
            arguments[name] = value.lower()
            notes.append(f"note: {name} {value!r} is converted to lower case: {value.lower()!r}.")
    return arguments, notes, options


def _examples(tool: Tool) -> str | None:
    lines = [f"  # {example.about}\n  {command_line(tool.name, example.arguments)}" for example in tool.hints.examples]
    return "\n".join(["examples:", *lines]) if lines else None


def _group(model: type[Strict], name: str, field: FieldInfo) -> str:
    if name in StartArgs.model_fields:
        return "job"
    for group, names in model.HELP_GROUPS.items():
        if name in names:
            return group
    mark = find_mark(field)
    if isinstance(mark, ModelMark):
        return "model"
    if mark is not None:
        return "output" if mark.direction == "output" else "input"
    return "input" if field.is_required() else "parameters"


def _add_flag(parser: argparse._ArgumentGroup, flags: list[str], name: str, field: FieldInfo, tool: Tool) -> None:
    help_text = _help(field, tool).replace("%", "%%")
    kind = _plain_type(field.annotation)
    if kind is bool:
        parser.add_argument(*flags, dest=name, action=argparse.BooleanOptionalAction, help=help_text)
    elif get_origin(kind) is list:
        metavar = _metavar(get_args(kind)[0], field)
        parser.add_argument(*flags, dest=name, nargs="+", action="extend", metavar=metavar, help=help_text)
    elif get_origin(kind) is dict:
        parser.add_argument(*flags, dest=name, nargs="+", action="extend", metavar="NAME=VALUE", help=help_text)
    else:
        parser.add_argument(*flags, dest=name, metavar=_metavar(kind, field), help=help_text)


def _help(field: FieldInfo, tool: Tool) -> str:
    text = as_shell_text(field.description or "", tool).rstrip()
    if field.is_required():
        return f"{text} (required)"
    default = field.get_default(call_default_factory=True)
    if default is None or default in ("", []):
        return text
    return f"{text} (default: {default})".strip()


def _metavar(kind: Any, field: FieldInfo) -> str:
    kind = _plain_type(kind)
    if get_origin(kind) is Literal:
        return "{" + ",".join(str(choice) for choice in get_args(kind)) + "}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return ",".join(f"{name}=…" for name, part in kind.model_fields.items() if part.is_required())
    mark = find_mark(field)
    if mark is not None:
        return "MODEL" if isinstance(mark, ModelMark) else "PATH"
    return {int: "N", float: "X"}.get(kind, "TEXT")


def _plain_type(annotation: Any) -> Any:
    """Return ``X`` of ``X | None`` and of ``Annotated[X, ...]``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain_type(get_args(annotation)[0])
    if origin in (Union, UnionType):
        options = [option for option in get_args(annotation) if option is not type(None)]
        return _plain_type(options[0])
    return annotation


def _objects(field: FieldInfo | None, value: Any) -> Any:
    """Parse the texts of an object field: JSON, or ``audio=take_00.wav,score=4``."""
    kind = _plain_type(field.annotation) if field is not None else None
    if get_origin(kind) not in (list, dict) or not isinstance(value, list):
        return value
    if get_origin(kind) is dict:
        return {name: part for text in value for name, part in _read_values(text).items()}
    item = _plain_type(get_args(kind)[0])
    if get_origin(item) is dict:
        return [_read_values(text) for text in value]
    if not (isinstance(item, type) and issubclass(item, BaseModel)):
        return value
    return [part for text in value for part in _read_objects(text, item.model_fields)]


def _read_values(text: str) -> Arguments:
    """Parse ``{"lr": 1e-5}`` or ``lr=1e-5,method=lora``; what is not JSON is text."""
    found: Arguments = {}
    for read in _read_objects(text, {}):
        if not isinstance(read, dict):
            raise UserError("bad_usage", f"{text!r} is not of the form name=value,name=value.")
        found |= read if text.lstrip().startswith("{") else {name: _typed(value) for name, value in read.items()}
    return found


def _typed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _read_objects(text: str, fields: Mapping[str, FieldInfo]) -> list[Any]:
    if text.lstrip().startswith(("{", "[")):
        try:
            read = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(
                "bad_usage", f"{text!r} is not JSON: {error}.", "Or write it as name=value,name=value."
            ) from error
        return read if isinstance(read, list) else [read]
    pairs: dict[str, str] = {}
    last = ""
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals and name.strip().isidentifier():
            last = name.strip()
            pairs[last] = value
        elif last:
            pairs[last] += "," + part  # the comma belongs to the value
        else:
            raise UserError(
                "bad_usage",
                f"{text!r} is not of the form name=value,name=value.",
                f"Names: {', '.join(fields)}." if fields else "",
            )
    return [pairs]


def _hyphens(word: str) -> str:
    """Return ``--max-steps=5`` for ``--max_steps=5``."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value
