"""The log of servers on stderr: warnings and errors, one format, control characters escaped, repetitions left out."""

import logging
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_REPEATS = 10
REPEAT_WINDOW_S = 60.0
# All but tab and line feed: a client's header in a message must not speak to the terminal.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass
class _Window:
    since_s: float
    count: int = 0


class RepeatLimit(logging.Filter):
    """Filter that passes ``MOST_REPEATS`` records of one line of source in ``REPEAT_WINDOW_S``.

    A client, or a process out of file descriptors, can cause thousands a second. The first record of the next window
    says how many were left out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._windows: dict[tuple[str, int], _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        now_s, source = self._clock(), (record.pathname, record.lineno)
        window = self._windows.setdefault(source, _Window(now_s))
        if now_s - window.since_s >= REPEAT_WINDOW_S:
            left_out = window.count - MOST_REPEATS
            window = self._windows[source] = _Window(now_s)
            if left_out > 0:
                record.msg, record.args = f"{record.getMessage()} ({left_out} more like this were left out)", None
        window.count += 1
        return window.count <= MOST_REPEATS


class EscapingFormatter(logging.Formatter):
    """Formatter that escapes control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        text = super().format(record)
        return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def log_to_stderr() -> None:
    """Log warnings and errors to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EscapingFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    handler.addFilter(RepeatLimit())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
