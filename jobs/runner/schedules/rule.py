"""When repeated work is due: a span, or a cron line in a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from jobs.errors import UserError

SHORTEST_EVERY_S = 60.0
_UNITS_S = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@dataclass(frozen=True)
class Rule:
    """When a schedule runs: every so many seconds, or by a cron line in a time zone."""

    every_s: float | None = None
    cron: str | None = None
    tz: str = "UTC"

    @classmethod
    def parse(cls, *, every: str | None, cron: str | None, tz: str = "UTC") -> Rule:
        """Read what a person wrote.

        Args:
            every: ``30m``, ``12h``, ``1d``, ``1w``; at least a minute.
            cron: five fields: minute, hour, day of month, month, day of week.
            tz: IANA name, for ``cron``. Daylight saving: a time that does not exist is run right after the gap, one
                that comes twice is run once.

        Raises:
            UserError: ``schedule_invalid``.
        """
        if (every is None) == (cron is None):
            raise _invalid("Give either every or cron", 'every="12h", or cron="0 3 * * *".')
        if every is not None:
            found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([mhdw])\s*", every)
            seconds = float(found[1]) * _UNITS_S[found[2]] if found else 0.0
            if seconds < SHORTEST_EVERY_S:
                raise _invalid(f"every={every!r} is no span of a minute or more", "Write 30m, 12h, 1d or 1w.")
            return cls(every_s=seconds)
        try:
            ZoneInfo(tz)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise _invalid(f"tz={tz!r} is no time zone", "Write an IANA name such as Europe/Berlin.") from error
        assert cron is not None
        try:
            next(CronSim(cron, datetime.now(UTC)))
        except (CronSimError, StopIteration) as error:
            raise _invalid(
                f"cron={cron!r} is no cron line: {error}", 'Write five fields, e.g. "0 3 * * 1-5".'
            ) from error
        return cls(cron=cron, tz=tz)

    def next_after(self, planned: float, now: float) -> float:
        """The first planned time later than ``now``; Unix seconds, like ``planned``, the newest one before."""
        if self.every_s is not None:
            return planned + self.every_s * (max(0.0, now - planned) // self.every_s + 1)
        assert self.cron is not None
        begin = datetime.fromtimestamp(max(planned, now), ZoneInfo(self.tz))
        return float(next(CronSim(self.cron, begin)).timestamp())

    def __str__(self) -> str:
        if self.every_s is None:
            return f"{self.cron} ({self.tz})"
        unit = next(unit for unit in "wdhm" if self.every_s % _UNITS_S[unit] == 0 or unit == "m")
        return f"every {self.every_s / _UNITS_S[unit]:g}{unit}"


def _invalid(what: str, hint: str) -> UserError:
    return UserError("schedule_invalid", what + ".", hint)
