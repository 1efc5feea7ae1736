"""Durations are read alike wherever a person may write one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from jobs.durations import format_duration, parse_duration
from jobs.errors import UserError
from jobs.runner.schedules.rule import ScheduleRule
from server.cli.gc import parse_age
from tools.core.tool_types import parse_time

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
READERS: dict[str, Callable[[str], float | None]] = {
    "durations": parse_duration,
    "schedule_job every": lambda text: ScheduleRule.parse(every=text, cron=None).every_s,
    "gc --older-than": parse_age,
    "not_before": lambda text: (parse_time(text, NOON) - NOON).total_seconds(),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("90m", 5400), ("12h", 43_200), ("2d", 172_800), ("1w", 604_800), ("1h30m", 5400), ("1.5h", 5400),
     (" 30 m ", 1800), ("1d 12h", 129_600)],
)  # fmt: skip
def test_every_reader_understands_the_same_durations(reader: str, text: str, seconds: float) -> None:
    assert READERS[reader](text) == seconds


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", ["", "soon", "12", "30m1h", "-5m", "1y", "m", "1h 1h"])
def test_every_reader_refuses_what_is_no_duration(reader: str, text: str) -> None:
    with pytest.raises((ValueError, UserError)) as refused:
        READERS[reader](text)

    assert "1w" in f"{refused.value} {getattr(refused.value, 'hint', '')}"


def test_a_refusal_quotes_the_text() -> None:
    with pytest.raises(ValueError, match=r"'soon' is not a duration: write 90s, 30m, 12h, 1d, 1w or 1h30m"):
        parse_duration("soon")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "1m 30s"), (5400, "1h 30m"), (43_200, "12h"), (86_400, "1d"), (1_209_600, "2w"), (0.5, "0.5s"), (0, "0s"),
     (3690, "1h 1m 30s"), (3600.36, "1h 0.36s"), (90_061.001, "1d 1h 1m 1.001s")],
)  # fmt: skip
def test_a_duration_is_written_in_whole_units_and_read_back(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(("every", "text"), [("1h30m", "1h 30m"), ("61.5m", "1h 1m 30s"), ("1.1h", "1h 6m")])
def test_a_schedule_shows_its_interval_as_people_write_it(every: str, text: str) -> None:
    assert str(ScheduleRule.parse(every=every, cron=None)) == f"every {text}"


def test_a_time_too_far_away_for_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="too far"):
        parse_time("999999999d", NOON)
