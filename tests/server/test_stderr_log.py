"""The log of servers: bounded, and without control characters."""

from __future__ import annotations

import io
import logging

from server.stderr_log import MOST_REPEATS, REPEAT_WINDOW_S, EscapingFormatter, RepeatLimit


def test_a_repeated_record_is_written_a_few_times_and_then_counted() -> None:
    now = [0.0]
    logger, stream = logging.Logger("test"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RepeatLimit(lambda: now[0]))
    logger.addHandler(handler)

    for number in range(10_000):
        logger.error("no descriptor for %d", number)
    logger.error("another")
    now[0] = REPEAT_WINDOW_S
    for number in range(2):
        logger.error("later %d", number)
    for _ in range(2):
        now[0] += REPEAT_WINDOW_S
        logger.error("no descriptor")

    lines = stream.getvalue().splitlines()
    assert lines[:MOST_REPEATS] == [f"no descriptor for {number}" for number in range(MOST_REPEATS)]
    assert lines[MOST_REPEATS:] == ["another", "later 0", "later 1", "no descriptor", "no descriptor"]


def test_the_next_record_of_the_same_source_says_how_many_were_left_out() -> None:
    now = [0.0]
    logger, stream = logging.Logger("test"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RepeatLimit(lambda: now[0]))
    logger.addHandler(handler)

    for number in range(MOST_REPEATS + 7):
        if number == MOST_REPEATS + 6:
            now[0] = REPEAT_WINDOW_S
        logger.error("no descriptor for %d", number)

    last = f"no descriptor for {MOST_REPEATS + 6} (6 more like this were left out)"
    assert stream.getvalue().splitlines()[MOST_REPEATS:] == [last]


def test_a_header_in_a_message_does_not_speak_to_the_terminal() -> None:
    record = logging.LogRecord(
        "x", logging.WARNING, "f", 1, "Host: %s\nnext\tline", ("\x1b]0;a\x07\r\x9b\u202e",), None
    )

    assert EscapingFormatter().format(record) == "Host: \\x1b]0;a\\x07\\r\\x9b\\u202e\nnext\tline"
