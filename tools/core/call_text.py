"""A call in words, complete with its arguments: what ``next`` tells an agent to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

LONGEST_CALL = 500


def call_text(tool: str, arguments: Mapping[str, Any]) -> str:
    """``align manifest="/d/train_manifest.jsonl" min_word_score=0.5``; a call that would be endless ends with ``…``."""
    words = " ".join([tool, *(f"{name}={_value(value)}" for name, value in arguments.items())])
    return words if len(words) <= LONGEST_CALL else words[: LONGEST_CALL - 1] + "…"


def given(args: BaseModel, *, without: frozenset[str] = frozenset({"dry_run", "wait_s"})) -> dict[str, Any]:
    """What a caller gave, as it was given."""
    return {
        name: value
        for name, value in args.model_dump(mode="json", exclude_unset=True).items()
        if name not in without and value is not None
    }


def chosen(params: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Stored parameters that differ from a model's defaults."""
    defaults = _defaults(model)
    return {
        name: value
        for name, value in params.items()
        if name in model.model_fields and value is not None and (name not in defaults or value != defaults[name])
    }


@cache  # pydantic looks a factory's signature up at every call: half of what a poll took
def _defaults(model: type[BaseModel]) -> Mapping[str, Any]:
    fields = model.model_fields
    return {
        name: field.get_default(call_default_factory=True) for name, field in fields.items() if not field.is_required()
    }


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
