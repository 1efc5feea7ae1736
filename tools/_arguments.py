"""Turns what a caller sent into a tool's arguments, or says everything that is wrong with it at once.

A misspelt argument is an error that names the nearest right one: an ignored ``learning_rate`` would train for
hours with the default.
"""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jobs.errors import UserError
from jobs.fields import Strict

LONGEST_SHOWN = 80
ArgsT = TypeVar("ArgsT", bound=Strict)


def parse_arguments(
    model: type[ArgsT], raw: Mapping[str, Any], *, tool: str, spell: Callable[[str], str] = str
) -> ArgsT:
    """Validate a call's arguments.

    Args:
        model: the tool's argument model.
        raw: arguments by name. Lists and objects may come as JSON text, as some clients send them.
        tool: name of the tool, for the message.
        spell: how this door writes an argument's name, e.g. ``lr`` as ``--lr``.

    Raises:
        UserError: ``bad_arguments`` with every fault; unknown names come with the nearest known one.
    """
    try:
        return model.model_validate({name: _unstring(model, name, value) for name, value in raw.items()})
    except ValidationError as error:
        faults = [_fault(model, detail, spell) for detail in error.errors(include_url=False)]
        listed = faults[0] if len(faults) == 1 else "".join(f"\n- {fault}" for fault in faults)
        raise UserError(
            "bad_arguments",
            f"{tool}: {listed}" if len(faults) == 1 else f"{tool}: {len(faults)} faults.{listed}",
            f"Nothing was started. {_usage(model, spell)}",
        ) from error


def nearest(word: str, known: Mapping[str, str]) -> str | None:
    """The known name that a misspelt one most likely means, by spelling first, then by its description.

    Args:
        word: what was given.
        known: right names with their descriptions.
    """
    plain = word.lower().replace("-", "_")
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.7)
    if close:
        return close[0]
    parts = _words(plain)
    scores = {
        name: _overlap(parts, _words(name)) * 1.5 + _overlap(parts, _words(about)) for name, about in known.items()
    }
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is not None and scores[best] >= 0.5:
        return best
    return next(iter(difflib.get_close_matches(plain, known, n=1, cutoff=0.5)), None)


def _fault(model: type[BaseModel], detail: ErrorDetails, spell: Callable[[str], str]) -> str:
    *parents, last = detail["loc"] or ("",)
    where = ".".join([spell(str(part)) if not place else str(part) for place, part in enumerate(detail["loc"])])
    if detail["type"] == "extra_forbidden":
        owner = _model_at(model, parents)
        known = {name: field.description or "" for name, field in owner.model_fields.items()} if owner else {}
        near = nearest(str(last), known)
        meant = ".".join([*map(str, parents), near]) if near else ""
        if meant:
            return f"unknown argument {where!r}; did you mean {(meant if parents else spell(meant))!r}?"
        return f"unknown argument {where!r}; known: {', '.join(spell(name) for name in known)}"
    if detail["type"] == "missing":
        return f"{where} is missing{_about(model, str(detail['loc'][0]))}"
    message = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if detail["type"] == "value_error" or message == detail["msg"]:
        return f"{where}: {message} (got {_show(detail['input'])})"
    return f"{where} must be {message}, not {_show(detail['input'])}"


def _about(model: type[BaseModel], name: str) -> str:
    field = model.model_fields.get(name)
    return f" ({field.description.rstrip('.')})" if field is not None and field.description else ""


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _usage(model: type[BaseModel], spell: Callable[[str], str]) -> str:
    required = [spell(name) for name, field in model.model_fields.items() if field.is_required()]
    optional = [spell(name) for name, field in model.model_fields.items() if not field.is_required()]
    return f"Required: {', '.join(required) or 'none'}. Optional: {', '.join(optional) or 'none'}."


def _model_at(model: type[BaseModel], path: Iterable[int | str]) -> type[BaseModel] | None:
    """The model that a fault's path leads to, through lists and optional fields."""
    here: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        if not (isinstance(here, type) and issubclass(here, BaseModel)) or part not in here.model_fields:
            return None
        here = _innermost(here.model_fields[part].annotation)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _innermost(annotation: Any) -> Any:
    """``list[X] | None`` and the like to ``X``."""
    while (origin := get_origin(annotation)) is not None:
        options = [option for option in get_args(annotation) if option is not type(None)]
        if origin is Annotated or origin in (list, Union, types.UnionType):
            annotation = options[0]
        else:
            return annotation
    return annotation


def _unstring(model: type[BaseModel], name: str, value: Any) -> Any:
    """Read JSON text where the field holds a list or an object."""
    field = model.model_fields.get(name)
    if field is None or not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    if str in _branches(field.annotation):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _branches(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _branches(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [branch for option in get_args(annotation) for branch in _branches(option)]
    return [annotation]


def _words(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"[a-z0-9]+", text.lower()) if len(word) > 1}


def _overlap(parts: set[str], words: set[str]) -> float:
    return len(parts & words) / len(parts) if parts else 0.0
