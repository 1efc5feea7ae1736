"""Durations as people write them: ``90s``, ``30m``, ``12h``, ``1d``, ``1w``, ``1h30m``. stdlib only."""

import re

UNITS_S = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
EXAMPLES = "90s, 30m, 12h, 1d, 1w or 1h30m"
_DURATION = re.compile("".join(rf"(?:(\d+(?:\.\d+)?)\s*{unit}\s*)?" for unit in UNITS_S))


def parse_duration(text: str) -> float:
    """Return the seconds of a duration.

    Raises:
        ValueError: the text is no duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is not a duration: write {EXAMPLES}")
    return sum(float(number) * size for number, size in zip(found.groups(), UNITS_S.values(), strict=True) if number)


def format_duration(seconds: float) -> str:
    """Return a duration to the millisecond, with a fraction of seconds only: 5,400 seconds are ``1h 30m``."""
    parts, left_s = [], round(seconds, 3)
    for unit, size in UNITS_S.items():
        number, left_s = (left_s, 0) if unit == "s" else divmod(left_s, size)
        parts += [f"{number:g}{unit}"] if number else []
    return " ".join(parts) or "0s"
