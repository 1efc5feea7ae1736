"""Plain data of an answer, as every client gets it: deceptive characters escaped, others' words marked.

``untrusted`` names the fields that hold words of strangers: those that models declare as ``Untrusted``, fields of a
job's result by the result model of its kind, and the plan of a dry run, which reads inputs.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from jobs.escaping import escaped
from jobs.param_types import untrusted_fields
from jobs.runner.job_kind import all_kinds
from tools.core.errors import UNTRUSTED
from tools.core.views import JobView


def answer_fields(answer: BaseModel) -> dict[str, Any]:
    """Return an answer as plain data, with ``untrusted`` at its end if any of its fields holds others' words."""
    fields: dict[str, Any] = escaped(answer.model_dump(mode="json"))
    marks = list(dict.fromkeys(_marks(answer)))
    return fields | {UNTRUSTED: marks} if marks else fields


def _marks(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Dotted names of the fields with others' words that are not empty; the items of a list share their names."""
    untrusted = untrusted_fields(type(model))
    for name in type(model).model_fields:
        value = getattr(model, name)
        if not value:
            continue
        if name in untrusted:
            yield prefix + name
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                yield from _marks(part, f"{prefix}{name}.")
    if isinstance(model, JobView):
        kind = all_kinds().get(model.kind)
        declared = untrusted_fields(kind.result) if kind is not None else frozenset()
        yield from (
            f"{prefix}result.{name}"
            for name, value in model.result.items()
            if value and (name == "plan" or name in declared)
        )
