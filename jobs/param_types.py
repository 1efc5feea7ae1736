"""Field types that say what a string means, so that paths and models are resolved alike wherever a call comes from.

The tools read these marks from a model's fields and put absolute paths in the place of the strings, after the check
against the allowed roots. Imports pydantic only.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class PathMark:
    """A string that names a file or folder, or an ``artifact://`` handle when it is an input."""

    direction: Literal["input", "output"]
    holds: str = ""
    """Content of the file, the same word as in the ``Output`` of the kind that makes it: a dataset's name or a job's id
    stands for the file."""


@dataclass(frozen=True)
class ModelMark:
    """A string that names model weights: a hub id, a directory, an ``artifact://`` handle or ``toy``."""


@dataclass(frozen=True)
class ArgumentsMark:
    """Arguments of another tool: its paths and models in them are held to the same rules as in its own call.

    Attributes:
        model: of those arguments.
    """

    model: type[BaseModel]


@dataclass(frozen=True)
class UntrustedMark:
    """A text of an answer that holds words of strangers: a title, a name from a manifest, a file's text."""


Untrusted = Annotated[str, UntrustedMark()]
InputPath = Annotated[str, PathMark("input")]
IngestedManifest = Annotated[str, PathMark("input", "ingested")]
AlignedManifest = Annotated[str, PathMark("input", "aligned")]
CodedManifest = Annotated[str, PathMark("input", "coded")]
TakesPath = Annotated[str, PathMark("input", "takes")]
ConfigPath = Annotated[str, PathMark("input", "config")]
OutputPath = Annotated[str, PathMark("output")]
"""A folder where the parameter's name ends in ``_dir``, else a file; a worker can write the folder, or the file's."""
ModelRef = Annotated[str, ModelMark()]

MAX_NAMED = 80  # characters of a field's name in a message: a stranger's file may have any

RARE: JsonDict = {"rare": True}


def rare(*default: Any, **details: Any) -> Any:
    """Return the ``Field`` of a parameter that few calls need.

    Tool listings name it, with type and range, in the object ``more``, and leave its description to the tool's help: an
    agent pays for every word of all tools at once.
    """
    return Field(*default, json_schema_extra=RARE, **details)


# Any plain value; not as a union in the schema, which some clients refuse. The code that reads it checks it.
Value = Annotated[bool | int | float | str, WithJsonSchema({})]

AUTO = "auto"
"""No named language: the sequence has no language prefix. As in upstream, it stands where none is given."""
Language = Literal[
    "auto",
    "english",
    "chinese",
    "japanese",
    "korean",
    "german",
    "french",
    "russian",
    "portuguese",
    "spanish",
    "italian",
]


class Strict(BaseModel):
    """A model that refuses fields it does not know."""

    HELP_GROUPS: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Fields of a group of flags in ``--help``; the group of all others follows from their types."""

    ADDED: ClassVar[frozenset[str]] = frozenset()
    """Fields that earlier versions did not have: part of a call's identity only where they are given."""

    # Its schema is built when it is first used: a command imports 130 models and uses a few.
    model_config = ConfigDict(defer_build=True, extra="forbid")

    def identity(self) -> dict[str, Any]:
        """Return what makes two calls the same, as JSON."""
        given = {name for name in self.ADDED if getattr(self, name) != type(self).model_fields[name].default}
        return self.model_dump(mode="json", exclude=set(self.ADDED - given))


def find_mark(field: FieldInfo) -> PathMark | ModelMark | None:
    """Return the mark of a field, also inside ``... | None`` and ``list[...]``."""
    found = _marks_in([*field.metadata, field.annotation])
    return next((mark for mark in found if not isinstance(mark, UntrustedMark)), None)


def find_arguments(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of another tool's arguments that a field holds."""
    return next((mark.model for mark in field.metadata if isinstance(mark, ArgumentsMark)), None)


def is_untrusted(field: FieldInfo) -> bool:
    """Return whether a field of an answer is marked as ``Untrusted``, also inside ``... | None`` and ``list[...]``."""
    return any(isinstance(mark, UntrustedMark) for mark in _marks_in([*field.metadata, field.annotation]))


@cache
def untrusted_fields(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of a model's fields that are marked as ``Untrusted``; found once for each model."""
    return frozenset(name for name, field in model.model_fields.items() if is_untrusted(field))


def _marks_in(parts: Iterable[Any]) -> Iterator[PathMark | ModelMark | UntrustedMark]:
    for part in parts:
        if isinstance(part, (PathMark, ModelMark, UntrustedMark)):
            yield part
        elif get_origin(part) is not None:
            yield from _marks_in([*getattr(part, "__metadata__", ()), *get_args(part)])


def first_fault(error: ValidationError) -> str:
    """Return the place and message of the first fault that pydantic found, such as ``training.lr: Input should …``."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part)[:MAX_NAMED] for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
