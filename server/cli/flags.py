"""Flags made of a tool's argument model: names, types, defaults and help are the model's own."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from jobs.errors import UserError
from jobs.param_types import ModelMark, PathMark
from server.cli.commands import Command
from tools.core.registry import Tool

COMMON = {"--json": "one JSON object on stdout", "--wait": "", "--no-wait": "", "--help": "", "-h": ""}
Arguments = dict[str, Any]


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are our errors."""

    def error(self, message: str) -> NoReturn:
        """Refuse in our own words."""
        raise UserError("bad_usage", f"{self.prog}: {message}.", f"See {self.prog} --help")


def parser_for(command: Command, tool: Tool) -> argparse.ArgumentParser:
    """The parser of a command. Required arguments are not its business: the model knows them."""
    parser = Parser(
        prog=f"./run.sh {command.name}",
        description=tool.description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for name in command.positionals:
        parser.add_argument(
            f"@{name}", metavar=name.upper(), nargs="?", help=f"the same as {spell(name)}", default=argparse.SUPPRESS
        )
    for name, field in tool.args.model_fields.items():
        others = [flag for flag, target in command.flags.items() if target == name and flag != spell(name)]
        _add_flag(parser, [spell(name), *others], name, field)
    for flag, about in command.words.items():
        parser.add_argument(flag, dest=f"@{flag}", metavar="TEXT", help=about)
    for flag, (name, value) in command.switches.items():
        parser.add_argument(flag, dest=name, action="store_const", const=value, help=f"{spell(name)} {value}")
    parser.add_argument("--json", dest="@json", action="store_true", default=False, help=COMMON["--json"])
    if tool.kind is not None or tool.name == "get_job":
        parser.add_argument(
            "--wait",
            dest="@wait",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="wait for the job's end with a progress bar (the default at a terminal), or return its id at once",
        )
    return parser


def read_flags(command: Command, tool: Tool, argv: Sequence[str]) -> tuple[Arguments, list[str], argparse.Namespace]:
    """Read a command's words.

    Returns:
        Arguments for the tool by name (unknown flags among them, so that they are refused with everything else),
        notes for the person, and the door's own options ``@json`` and ``@wait``.

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
        raise UserError("bad_usage", f"{parser.prog}: what is {rest[0]!r}?", f"See {parser.prog} --help")
    for word in unknown:  # what follows one is its value
        near = difflib.get_close_matches(word, COMMON, n=1, cutoff=0.75)
        if near:
            raise UserError(
                "bad_usage", f"Unknown flag {word!r}; did you mean {near[0]!r}?", f"See {parser.prog} --help"
            )
        arguments[word.partition("=")[0].removeprefix("--").replace("-", "_")] = True
    arguments = {name: _objects(tool.args.model_fields.get(name), value) for name, value in arguments.items()}
    notes = []
    for name in command.lowered:
        value = arguments.get(name)
        if isinstance(value, str) and value != value.lower():
            arguments[name] = value.lower()
            notes.append(f"note: {name} {value!r} is written in lower case: {value.lower()!r}.")
    return arguments, notes, options


def spell(name: str) -> str:
    """How the shell writes an argument's name."""
    return "--" + name.replace("_", "-")


def _add_flag(parser: argparse.ArgumentParser, flags: list[str], name: str, field: FieldInfo) -> None:
    help_text = _help(field).replace("%", "%%")
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


def _help(field: FieldInfo) -> str:
    told = (field.description or "").rstrip()
    if field.is_required():
        return f"{told} (required)"
    default = field.get_default(call_default_factory=True)
    if default is None or default in ("", []):
        return told
    return f"{told} (default: {default})".strip()


def _metavar(kind: Any, field: FieldInfo) -> str:
    kind = _plain_type(kind)
    if get_origin(kind) is Literal:
        return "{" + ",".join(str(choice) for choice in get_args(kind)) + "}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return ",".join(f"{name}=…" for name, part in kind.model_fields.items() if part.is_required())
    marks = {type(mark) for mark in [*field.metadata, *_marks(field.annotation)]}
    if PathMark in marks:
        return "PATH"
    if ModelMark in marks:
        return "MODEL"
    return {int: "N", float: "X"}.get(kind, "TEXT")


def _marks(annotation: Any) -> list[Any]:
    found = list(getattr(annotation, "__metadata__", ()))
    for part in get_args(annotation):
        found += _marks(part)
    return found


def _plain_type(annotation: Any) -> Any:
    """``X | None`` and ``Annotated[X, ...]`` to ``X``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain_type(get_args(annotation)[0])
    if origin in (Union, UnionType):
        options = [option for option in get_args(annotation) if option is not type(None)]
        return _plain_type(options[0])
    return annotation


def _objects(field: FieldInfo | None, value: Any) -> Any:
    """For objects: JSON, or ``audio=take_00.wav,score=4``."""
    kind = _plain_type(field.annotation) if field is not None else None
    if get_origin(kind) not in (list, dict) or not isinstance(value, list):
        return value
    if get_origin(kind) is dict:
        return {name: worth for text in value for name, worth in _read_values(text).items()}
    item = _plain_type(get_args(kind)[0])
    if get_origin(item) is dict:
        return [_read_values(text) for text in value]
    if not (isinstance(item, type) and issubclass(item, BaseModel)):
        return value
    return [made for text in value for made in _read_objects(text, item.model_fields)]


def _read_values(text: str) -> Arguments:
    """``{"lr": 1e-5}`` or ``lr=1e-5,method=lora``: numbers, true and false as such, all else as text."""
    found: Arguments = {}
    for read in _read_objects(text, {}):
        if not isinstance(read, dict):
            raise UserError("bad_usage", f"{text!r} is not of the form name=value,name=value.")
        found |= read if text.lstrip().startswith("{") else {name: _typed(value) for name, value in read.items()}
    return found


def _typed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _read_objects(text: str, fields: Mapping[str, FieldInfo]) -> list[Any]:
    if text.lstrip().startswith(("{", "[")):
        try:
            read = json.loads(text)
        except json.JSONDecodeError as error:
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
            pairs[last] += "," + part  # a comma within the value before
        else:
            raise UserError(
                "bad_usage",
                f"{text!r} is not of the form name=value,name=value.",
                f"Names: {', '.join(fields)}." if fields else "",
            )
    return [pairs]


def _hyphens(word: str) -> str:
    """``--max_steps=5`` as ``--max-steps=5``."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value
