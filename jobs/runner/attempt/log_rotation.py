"""Log of bounded size: head and tail are kept, one line between them says how much was left out. stdlib only.

The worker appends straight to the file and cannot reopen it: the file is shortened in place. After a kill at any time
the head is there, and at most one line is torn. Output of the microseconds before the cut may be lost.
"""

import os
import re
from pathlib import Path

from jobs.errors import UserError
from jobs.files.folders import open_in_place

HEAD_SHARE, TAIL_SHARE = 0.25, 0.25  # the other half lets the file grow, so that it is seldom shortened
MARK = b"\n[... %d bytes were left out here ...]\n"
_MARK = re.compile(rb"\n\[\.\.\. (\d+) bytes were left out here \.\.\.\]\n")


def shorten_log(log: Path, limit_bytes: int) -> int:
    """Shorten a log that is longer than the limit.

    Args:
        log: appended to by others meanwhile.
        limit_bytes: longest length; a quarter of it is kept of each end.

    Returns:
        Bytes left out now; 0 when the log is short enough or not there.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        descriptor = open_in_place(log, os.O_RDWR)
    except (FileNotFoundError, UserError):  # a link is not its log
        return 0
    try:
        size = os.fstat(descriptor).st_size
        return _shorten(descriptor, size, limit_bytes) if size > limit_bytes else 0
    finally:
        os.close(descriptor)


def _shorten(descriptor: int, size: int, limit_bytes: int) -> int:
    head = int(limit_bytes * HEAD_SHARE)
    before = _MARK.match(os.pread(descriptor, 128, head))
    begin = size - int(limit_bytes * TAIL_SHARE)
    tail = os.pread(descriptor, size - begin, begin)
    whole_lines = tail.find(b"\n") + 1
    tail, begin = tail[whole_lines:], begin + whole_lines
    left_out = begin - head - (len(before[0]) if before else 0)
    text = MARK % (left_out + (int(before[1]) if before else 0)) + tail
    end = head + _write(descriptor, text, head)
    while newer := os.pread(descriptor, 1 << 20, size):  # what came meanwhile
        end += _write(descriptor, newer, end)
        size += len(newer)
    os.ftruncate(descriptor, end)
    return left_out


def _write(descriptor: int, text: bytes, offset: int) -> int:
    written = 0
    while written < len(text):
        written += os.pwrite(descriptor, text[written:], offset + written)
    return written
