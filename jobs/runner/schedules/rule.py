"""Rules of schedules: an interval, or a cron line in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from jobs.durations import EXAMPLES, format_duration, parse_duration
from jobs.errors import UserError

SHORTEST_EVERY_S = 60.0
LONGEST_EVERY_S = 10 * 365 * 86_400.0  # later times may have no date
CRON_FIELDS = 5  # a sixth would be seconds
CRON_EXAMPLE = 'Write five fields, e.g. "0 3 * * 1-5".'


@dataclass(frozen=True)
class ScheduleRule:
    """Rule of a schedule: an interval in seconds, or a cron line in a time zone."""

    every_s: float | None = None
    cron: str | None = None
    tz: str = "UTC"

    @classmethod
    def parse(cls, *, every: str | None, cron: str | None, tz: str = "UTC") -> ScheduleRule:
        """Read a rule as people write it.

        Args:
            every: ``90s``, ``30m``, ``12h``, ``1d``, ``1w``, ``1h30m``; at least a minute.
            cron: five fields: minute, hour, day of month, month, day of week.
            tz: IANA name, for ``cron``. Daylight saving: a time that does not exist is run right after the gap, one
                that comes twice is run once.

        Raises:
            UserError: ``schedule_invalid``.
        """
        if (every is None) == (cron is None):
            raise _invalid("Give either every or cron", 'every="12h", or cron="0 3 * * *".')
        if every is not None:
            try:
                seconds = parse_duration(every)
            except ValueError as error:
                raise _invalid(f"every={every!r} is not a duration", f"Write {EXAMPLES}.") from error
            if seconds < SHORTEST_EVERY_S:
                raise _invalid(f"every={every!r} is shorter than a minute", "The shortest interval is 1m.")
            if seconds > LONGEST_EVERY_S:
                raise _invalid(f"every={every!r} is longer than ten years", "The longest interval is 3650d.")
            return cls(every_s=seconds)
        try:
            ZoneInfo(tz)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise _invalid(f"tz={tz!r} is no time zone", "Write an IANA name such as Europe/Berlin.") from error
        assert cron is not None
        n_fields = len(cron.split())
        if n_fields != CRON_FIELDS:
            raise _invalid(f"cron={cron!r} has {n_fields} fields, not {CRON_FIELDS}", CRON_EXAMPLE)
        try:
            next(CronSim(cron, datetime.now(UTC)))
        except (CronSimError, StopIteration) as error:
            raise _invalid(f"cron={cron!r} is no cron line: {error}", CRON_EXAMPLE) from error
        return cls(cron=cron, tz=tz)

    def next_after(self, planned: float, now: float) -> float:
        """Return the first planned time later than ``now``; Unix seconds, like ``planned``, the last planned time."""
        if self.every_s is not None:
            return planned + self.every_s * (max(0.0, now - planned) // self.every_s + 1)
        assert self.cron is not None
        begin = datetime.fromtimestamp(max(planned, now), ZoneInfo(self.tz))
        return float(next(CronSim(self.cron, begin)).timestamp())

    def __str__(self) -> str:
        if self.every_s is None:
            return f"{self.cron} ({self.tz})"
        return f"every {format_duration(self.every_s)}"


def _invalid(what: str, hint: str) -> UserError:
    return UserError("schedule_invalid", what + ".", hint)
