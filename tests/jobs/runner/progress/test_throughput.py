"""The present speed of a job, from its newest reports."""

from __future__ import annotations

import pytest

from jobs.runner.models import Progress
from jobs.runner.progress.throughput import compute_rate


def reports(*pairs: tuple[float, float], total: float | None = 1000) -> list[Progress]:
    """Reports at times, seconds, of so much done."""
    return [Progress(at=at, done=done, total=total) for at, done in pairs]


def test_the_rate_is_units_a_second() -> None:
    told = reports(*((second, second * 4) for second in range(20)))

    assert compute_rate(told) == pytest.approx(4)


def test_what_an_earlier_attempt_has_done_does_not_count_as_speed() -> None:
    told = reports((0, 0), total=None) + reports((30, 0), (60, 501), (61, 502), (62, 503), (63, 504))

    assert compute_rate(told) == pytest.approx(1)


def test_the_recent_past_counts_not_the_whole() -> None:
    slow = [(100.0 * step, float(step)) for step in range(10)]
    fast = [(900.0 + second, 10.0 + 2 * second) for second in range(1, 100)]

    assert compute_rate(reports(*slow, *fast)) == pytest.approx(2)


def test_slow_units_are_counted_further_back_than_a_minute() -> None:
    told = reports(*((300.0 * step, float(step)) for step in range(8)))

    assert compute_rate(told) == pytest.approx(1 / 300)


def test_reports_within_a_unit_do_not_change_the_rate() -> None:
    told = reports(*((second, second // 10) for second in range(60)))

    assert compute_rate(told) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "told",
    [
        [],
        reports((0, 0)),
        reports((0, 0), (1, 1), (2, 2)),
        reports((5, 0), (5, 1), (5, 2), (5, 3)),
        reports((0, 7), (1, 7), (2, 7)),
        reports((0, 5), (1, 6), (2, 7), (3, 8), (4, 1)),
        reports((0, 5), (1, 6), (2, 7), (3, 8)) + reports((4, 9), total=50),
    ],
)
def test_too_little_tells_no_rate(told: list[Progress]) -> None:
    assert compute_rate(told) is None


def test_a_clock_that_was_set_back_tells_from_there_on() -> None:
    told = reports((100, 1), (101, 2), (50, 3), (51, 4), (52, 5), (53, 6))

    assert compute_rate(told) == pytest.approx(1)
