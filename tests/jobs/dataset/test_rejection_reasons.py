"""Every reason of a rejection is explained, and explained once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from jobs.dataset import rejection_reasons
from jobs.dataset.quality import quality_filter
from jobs.dataset.rejection_reasons import INGEST_REASONS, MEANING, QUALITY_REASONS


def test_no_reason_is_explained_twice() -> None:
    tree = ast.parse(Path(rejection_reasons.__file__).read_text(encoding="utf-8"))
    keys = [ast.unparse(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys if key]

    assert len(set(keys)) == len(keys)
    assert not INGEST_REASONS.keys() & QUALITY_REASONS.keys()


def test_words_that_differ_have_the_explanation_of_the_ingest() -> None:
    assert MEANING["words_differ"] == "other words are spoken than the text says"


def test_every_reason_of_the_quality_filter_is_explained() -> None:
    tree = ast.parse(Path(quality_filter.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    used = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in ("_below", "_above", "QualityRejection")
        and isinstance(call.args[0], ast.Constant)
    }

    assert len(used) > 10
    assert used <= MEANING.keys()


REASON_ARGUMENT = {"RejectedSpan": 1, "RejectedLine": 3, "RejectedAudio": 0, "RejectionError": 0, "reject": 0}


@pytest.mark.parametrize("package", ["ingest_audiobook", "ingest_clips"])
def test_every_reason_of_the_ingests_is_explained(package: str) -> None:
    used: set[object] = set()
    for path in (Path(rejection_reasons.__file__).parents[1] / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found = [word.value for word in node.keywords if word.arg == "reason"]
                place = REASON_ARGUMENT.get(getattr(node.func, "id", getattr(node.func, "attr", "")), len(node.args))
                for value in [*found, *node.args[place : place + 1]]:
                    either = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                    used |= {each.value for each in either if isinstance(each, ast.Constant)}

    assert len(used) >= 4
    assert used <= MEANING.keys()
