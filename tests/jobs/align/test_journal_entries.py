"""Entries of the journal beside the manifest, which a stranger may have written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jobs.align.work import _read_entry

WORD = {"word": "a", "start_s": 0.0, "end_s": 1.0, "score": 1.0}


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        [],
        {},
        {"reason": ""},
        {"reason": ["x"], "detail": ""},
        {"aligned": {"words": []}},
        {"aligned": {"words": [WORD], "end_s": 1e308}},
        {"aligned": {"words": [WORD], "start_s": -1.0}},
        {"aligned": {"words": [WORD], "start_s": math.nan}},
        {"aligned": {"words": [{"word": "a"}]}},
    ],
)
def test_an_entry_that_align_does_not_write_counts_as_none(value: Any) -> None:
    assert _read_entry(value) is None


def test_what_align_writes_is_read() -> None:
    aligned = _read_entry({"audio": "a.wav", "aligned": {"words": [WORD], "end_s": 1.0}})
    rejected = _read_entry({"audio": "a.wav", "reason": "no_text", "detail": "none"})

    assert aligned is not None
    assert aligned.aligned is not None
    assert aligned.aligned.end_s == 1.0
    assert rejected is not None
    assert (rejected.reason, rejected.detail) == ("no_text", "none")
