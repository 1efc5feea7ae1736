"""Planned times: spans, cron lines, daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from jobs.errors import UserError
from jobs.runner.schedules.rule import ScheduleRule

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2040, 5, 1, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


def times(rule: ScheduleRule, begin: datetime, count: int) -> list[str]:
    """Planned times after ``begin``, in its zone."""
    found, at = [], begin.timestamp()
    for _ in range(count):
        at = rule.next_after(at, at)
        found.append(datetime.fromtimestamp(at, begin.tzinfo).strftime("%m-%d %H:%M %Z"))
    return found


def test_a_time_that_daylight_saving_leaves_out_is_run_once_after_the_gap() -> None:
    rule = ScheduleRule.parse(every=None, cron="30 2 * * *", tz="Europe/Berlin")

    planned = times(rule, datetime(2026, 3, 28, 0, tzinfo=BERLIN), 3)

    assert planned == ["03-28 02:30 CET", "03-29 03:00 CEST", "03-30 02:30 CEST"]


def test_a_time_that_daylight_saving_gives_twice_is_run_once() -> None:
    rule = ScheduleRule.parse(every=None, cron="30 2 * * *", tz="Europe/Berlin")

    planned = times(rule, datetime(2026, 10, 24, 12, tzinfo=BERLIN), 2)

    assert planned == ["10-25 02:30 CEST", "10-26 02:30 CET"]


def test_a_leap_day_comes_every_four_years() -> None:
    rule = ScheduleRule.parse(every=None, cron="0 0 29 2 *", tz="UTC")

    at = rule.next_after(NOON, NOON)

    assert datetime.fromtimestamp(at, UTC) == datetime(2044, 2, 29, tzinfo=UTC)


def test_a_span_keeps_its_beat_however_late_it_is_looked_at() -> None:
    rule = ScheduleRule.parse(every="12h", cron=None)

    assert rule.next_after(NOON, NOON + 30 * HOUR) == NOON + 36 * HOUR
    assert str(rule) == "every 12h"


@pytest.mark.parametrize(
    ("every", "cron", "tz"),
    [("12h", "0 3 * * *", "UTC"), (None, None, "UTC"), ("10s", None, "UTC"), ("soon", None, "UTC"),
     (None, "61 3 * * *", "UTC"), (None, "0 3 * *", "UTC"), (None, "* * * * * *", "UTC"), (None, "@hourly", "UTC"),
     (None, "0 3 * * *", "Europe/Berlinn")],
)  # fmt: skip
def test_a_rule_that_is_none_is_refused(every: str | None, cron: str | None, tz: str) -> None:
    with pytest.raises(UserError) as refused:
        ScheduleRule.parse(every=every, cron=cron, tz=tz)

    assert refused.value.code == "schedule_invalid"
