"""Every reason of a rejection is explained, and explained once."""

from __future__ import annotations

import ast
from pathlib import Path

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
