"""Arguments of a call that a ``next`` names: those that a caller gave, or those of a job that differ from defaults."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from jobs.runner.models import JobRecord


def given(args: BaseModel, *, without: frozenset[str] = frozenset({"dry_run", "wait_s"})) -> dict[str, Any]:
    """Return the arguments that a caller gave, in the caller's spelling."""
    return {
        name: value
        for name, value in args.model_dump(mode="json", exclude_unset=True).items()
        if name not in without and value is not None
    }


def chosen(params: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return the stored parameters that differ from a model's defaults."""
    defaults = _defaults(model)
    return {
        name: value
        for name, value in params.items()
        if name in model.model_fields and value is not None and (name not in defaults or value != defaults[name])
    }


def call_of(record: JobRecord, model: type[BaseModel]) -> dict[str, Any]:
    """Return the arguments of the call that has made a job, without a folder that was chosen for it."""
    return chosen({name: value for name, value in record.params.items() if name not in record.placed}, model)


@cache  # pydantic inspects a factory's signature at every call, which took half the time of a poll
def _defaults(model: type[BaseModel]) -> Mapping[str, Any]:
    fields = model.model_fields
    return {
        name: field.get_default(call_default_factory=True) for name, field in fields.items() if not field.is_required()
    }
