"""Time limit of a take in a loop."""

from __future__ import annotations

import pytest

from jobs.synthesize.params import longest_take_s


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        (["one two three four five"], 9.0),  # three times two seconds, and three
        (["one", "one two three four five six seven eight nine ten"], 15.0),
        (["我们今天下午去公园散步然后回家了"], 15.0),
        (["word " * 500], 60.0),
    ],
)
def test_a_limit_that_only_an_endless_take_reaches(texts: list[str], seconds: float) -> None:
    assert longest_take_s(texts) == seconds
