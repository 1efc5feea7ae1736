"""Validation of a call's arguments, with all faults in one error.

A misspelt argument is an error that names the nearest right one: an ignored ``learning_rate`` would train for
hours with the default.
"""

import json
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jobs.errors import UserError
from jobs.escaping import escape_line
from jobs.param_types import Strict
from jobs.spelling import closest
from tools.inputs.bounds import LONGEST_NAME, MOST_CHARACTERS, MOST_ITEMS, find_breach, is_writable

LONGEST_SHOWN, LONGEST_FAULT, MOST_FAULTS = 80, 400, 12
MORE = "more"
"""The argument that may hold those that few calls need, so that a listing can be short."""
SYNONYMS = {"manifest": ("dataset",), "narrator_manifest": ("dataset",), "model": ("voice",)}
"""Other names of an argument, where a tool has no argument of that name."""
DRY_RUN, STARTS_NOTHING = "dry_run", "Nothing was started. "
"""Argument of the tools that start or store something, and what is said of them."""
_NAME = "of at most 40 lower-case letters, digits, - and _, and begin with a letter"
PATTERNS = {
    "^(|epoch|[1-9][0-9]{0,6})$": "epoch, or a number of steps",
    r"^[a-z][a-z0-9_-]{0,39}$": f"a name {_NAME}",
    r"^[a-z0-9][a-z0-9_-]{0,39}$": f"a name {_NAME} or a digit",
    r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$": "a repository such as OWNER/NAME",
    r"^[A-Za-z0-9.+-]{1,60}$": "an SPDX identifier such as CC-BY-4.0",
    r"^artifact://[^/]+/.+$": "a handle such as artifact://JOB/NAME",
}
"""Patterns of arguments in words."""
ArgsT = TypeVar("ArgsT", bound=Strict)


def parse_arguments(
    model: type[ArgsT], raw: Mapping[str, Any], *, tool: str, spell: Callable[[str], str] = str, explained: str = ""
) -> ArgsT:
    """Validate a call's arguments.

    Lists and objects may come as JSON text, as some clients send them; arguments that few calls need may come in the
    object ``more``, under which a listing names them. ``spell`` spells an argument's name for this caller, e.g. ``lr``
    as ``--lr``; ``explained`` says where the arguments are explained; empty: the call of ``list_jobs``.

    Raises ``UserError``: ``bad_arguments`` with every fault; unknown names come with the nearest known one.
    """
    flat, faults = _flat(model, raw)
    cause: ValidationError | None = None
    n_faults = len(faults)
    try:
        args = model.model_validate(flat)
        if not faults:
            return args
    except ValidationError as error:
        cause = error
        details = error.errors(include_url=False)
        n_faults += len(details)
        faults += [_fault(model, detail, spell) for detail in details[: max(0, MOST_FAULTS - len(faults))]]
    shown = [_cut(escape_line(fault), LONGEST_FAULT) for fault in faults[:MOST_FAULTS]]
    shown += [f"and {n_faults - MOST_FAULTS} more"] if n_faults > MOST_FAULTS else []
    explained = explained or f"All are explained by list_jobs explain={tool}."
    listed = shown[0] if n_faults == 1 else "".join(f"\n- {fault}" for fault in shown)
    raise UserError(
        "bad_arguments",
        f"{tool}: {listed}" if n_faults == 1 else f"{tool}: {n_faults} faults.{listed}",
        f"{_find_jobs(flat, model)}{_usage(model, spell)} {explained}",
    ) from cause


def _find_jobs(given: Mapping[str, Any], model: type[BaseModel]) -> str:
    return "Call list_jobs for the known jobs. " if "job_id" in model.model_fields and "job_id" not in given else ""


def nearest(word: str, known: Mapping[str, str]) -> str | None:
    """Return the known name that is nearest to a misspelt one, by spelling first, then by description."""
    if len(word) > LONGEST_NAME:
        return None
    plain = word.lower().replace("-", "_")
    close = closest(plain, known, cutoff=0.7)
    if close:
        return close
    parts = _words(plain)
    scores = {
        name: _overlap(parts, _words(name)) * 1.5 + _overlap(parts, _words(about)) for name, about in known.items()
    }
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is not None and scores[best] >= 0.5:
        return best
    return closest(plain, known, cutoff=0.5)


def _flat(model: type[BaseModel], raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Arguments with those of ``more`` beside the others and synonyms by their own names; and the faults in them."""
    flat, faults = dict(raw), []
    more = flat.pop(MORE, {}) if MORE not in model.model_fields else {}
    if isinstance(more, str):
        more = _read_json(more or "{}")
    if not isinstance(more, Mapping):
        faults.append(f"{MORE} must be an object of arguments by name, not {_show(more)}")
        more = {}
    flat, more = _without_breaches(model, flat, faults), _without_breaches(model, more, faults)
    faults += [f"{name} is given twice, also in {MORE}" for name in more if name in flat and flat[name] != more[name]]
    flat = {**more, **flat}
    for own, others in SYNONYMS.items():
        for other in others:
            if other in flat and other not in model.model_fields and own in model.model_fields and own not in flat:
                flat[own] = flat.pop(other)
    return flat, faults


def _without_breaches(model: type[BaseModel], given: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """The arguments, JSON text parsed, that are within the bounds of every argument; the others become faults."""
    within: dict[str, Any] = {}
    if len(given) > MOST_ITEMS:
        faults.append(f"there are {len(given):,} arguments")
        return within
    for name, value in given.items():
        value = _unstring(model, name, value)
        if len(name) > LONGEST_NAME or not is_writable(name):
            faults.append(f"unknown argument {_show(name)}")
        elif breach := find_breach(model, name, value):
            faults.append(f"{name} {breach}")
        else:
            within[name] = value
    return within


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
    if detail["type"] == "string_pattern_mismatch" and (words := PATTERNS.get(detail["ctx"]["pattern"])):
        return f"{where} must be {words}, not {_show(detail['input'])}"
    message = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    about = _about(model, str(detail["loc"][0])) if detail["loc"] else ""
    if detail["type"] == "value_error" or message == detail["msg"]:
        got = (
            f" (got {_show(detail['input'])})" if detail["loc"] else ""
        )  # of a rule over several: the message names them
        return f"{where}: {message}{got}".removeprefix(": ")
    return f"{where} must be {message}, not {_show(detail['input'])}{about}"


def _about(model: type[BaseModel], name: str) -> str:
    field = model.model_fields.get(name)
    return f" ({field.description.rstrip('.')})" if field is not None and field.description else ""


def _show(value: object) -> str:
    return _cut(repr(value), LONGEST_SHOWN)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _usage(model: type[BaseModel], spell: Callable[[str], str]) -> str:
    required = [spell(name) for name, field in model.model_fields.items() if field.is_required()]
    starts = STARTS_NOTHING if DRY_RUN in model.model_fields else ""
    return f"{starts}Required: {', '.join(required) or 'none'}."


def _model_at(model: type[BaseModel], path: Iterable[int | str]) -> type[BaseModel] | None:
    """The model at a fault's path, through lists and optional fields."""
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
    """Parse JSON text where the field holds a list or an object."""
    field = model.model_fields.get(name)
    if field is None or not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    return value if str in _branches(field.annotation) else _read_json(value)


def _read_json(text: str) -> Any:
    """Parse JSON text; the text itself where it is too long, too deep, or no JSON."""
    if len(text) > MOST_CHARACTERS:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a whole number of thousands of digits
        return text


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
