"""The register of error codes is complete, and free of codes that nothing raises."""

from __future__ import annotations

import ast

import pytest

from jobs.error_codes import ALIASES, CODES, REASONS
from jobs.runner.models import Reason
from jobs.settings import PROJECT_ROOT

REGISTERED = [code for codes in CODES.values() for code in codes]
# Raised with a code that is computed: the pieces are in the source, the whole is not.
COMPUTED = {"dataset_unknown"}


def raised_codes() -> set[str]:
    """Every literal code given to ``UserError`` in the product, also within a conditional expression."""
    found = set()
    for folder in ("jobs", "tools", "server"):
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "UserError":
                    given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "code")]
                    found |= {text for expression in given for text in _texts(expression)}
    return found


def _texts(expression: ast.expr) -> set[str]:
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return {expression.value}
    if isinstance(expression, ast.IfExp):
        return _texts(expression.body) | _texts(expression.orelse)
    return set()


def test_every_code_that_is_raised_has_a_sentence_and_every_sentence_is_used() -> None:
    assert raised_codes() | COMPUTED == set(REGISTERED)


def test_no_code_stands_twice() -> None:
    assert len(REGISTERED) == len(set(REGISTERED))


@pytest.mark.parametrize("sentence", [text for codes in (*CODES.values(), REASONS) for text in codes.values()])
def test_a_sentence_is_a_sentence(sentence: str) -> None:
    assert sentence.endswith(".")
    assert "|" not in sentence


def test_a_retired_code_leads_to_the_code_that_replaced_it() -> None:
    assert set(ALIASES.values()) <= set(REGISTERED)
    assert not set(ALIASES) & set(REGISTERED)


def test_every_reason_of_a_failure_has_a_sentence() -> None:
    assert set(REASONS) == set(Reason.__args__)
