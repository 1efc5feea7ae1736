"""Bounds of arguments: what honest calls need is within them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from jobs.errors import UserError
from jobs.param_types import Strict
from jobs.runner.paths import find_job_ids, is_job_id
from jobs.spelling import closest
from tools.core.registry import all_tools
from tools.core.tool_types import StartArgs
from tools.inputs.arguments import nearest, parse_arguments
from tools.inputs.bounds import find_breach

SYNTHESIZE = all_tools()["synthesize"].args
JOB = "training-20261122-131144-7f3a"


class Inner(BaseModel):
    """A part that may hold itself."""

    note: str = Field("", max_length=5000)
    parts: list[Inner] = Field(default_factory=list)


class Args(Strict):
    """Arguments of a tool that nobody has written yet."""

    name: str = ""
    chapter: str = Field("", max_length=100_000)
    many: list[int] = Field(default_factory=list, max_length=3000)
    few: list[int] = Field(default_factory=list)
    inner: Inner | None = None
    anything: dict[str, Any] = Field(default_factory=dict)


def test_500_long_texts_fit_also_as_json_text() -> None:
    texts = ["A word. " * 240] * 500

    for given in (texts, json.dumps(texts)):
        assert parse_arguments(SYNTHESIZE, {"model": "toy", "texts": given}, tool="synthesize").texts == texts


@pytest.mark.parametrize(
    ("name", "value", "breach"),
    [
        ("name", "x" * 4096, None),
        ("name", "x" * 4097, "has a text of 4,097 characters; at most 4,096 are taken"),
        ("chapter", "x" * 100_000, None),
        ("chapter", "x" * 100_001, "has a text of 100,001 characters; at most 100,000 are taken"),
        ("many", [1] * 3000, None),
        ("few", [1] * 1001, "has 1,001 items; at most 1,000 are taken"),
        ("inner", {"parts": [{"note": "x" * 5000}]}, None),
        ("anything", {"a": [[1] * 1000] * 30}, "has more than 20,000 values"),
        ("anything", {"a": ["x" * 4000] * 600}, "has more than 2,000,000 characters"),
        ("anything", {"x" * 5000: 1}, "has a text of 5,000 characters; at most 4,096 are taken"),
        ("anything", {"a": 2**63}, "has a whole number of more than 64 bits"),
        ("anything", {"a": float("nan")}, "has a number that is not finite"),
        ("anything", {"a": "take\0.wav"}, "contains a null character"),
        ("anything", {"\udcff": 1}, "contains invalid Unicode (a lone surrogate)"),
    ],
)
def test_every_field_has_bounds_and_may_declare_more(name: str, value: Any, breach: str | None) -> None:
    assert find_breach(Args, name, value) == breach


def test_nesting_ends_at_16_levels() -> None:
    fits: Any = 1
    for _ in range(16):
        fits = [fits]

    assert find_breach(Args, "anything", fits) is None
    assert find_breach(Args, "anything", [fits]) == "is nested deeper than 16 levels"


def test_a_thousand_unknown_arguments_are_told_in_twelve_lines() -> None:
    with pytest.raises(UserError) as refusal:
        parse_arguments(StartArgs, {f"unknown_{number}": 1 for number in range(1000)}, tool="align")

    assert refusal.value.message.count("\n- ") == 13
    assert refusal.value.message.endswith("and 988 more")


def test_job_ids_are_found_in_a_long_text_and_in_a_path() -> None:
    text = f"/home/jobs/{JOB}/out {'a' * 200_000} artifact://{JOB[:-1]}b/x -{'a_' * 50_000}-{JOB}"

    assert find_job_ids(text) == {JOB, f"{JOB[:-1]}b"}
    assert is_job_id(JOB)
    assert not any(is_job_id(each) for each in (f"{JOB}x", f"x/{JOB}", f"{JOB}\n", "a" * 200_000))


def test_a_long_word_is_near_to_nothing() -> None:
    assert closest("epochz", ["epochs"]) == "epochs"
    assert closest("a" * 100_000, ["a" * 100_000]) is None
    assert nearest("epoch" * 10_000, {"epochs": "Passes."}) is None
