"""Recognition of a full disk behind any error. stdlib only."""

import errno

from jobs.errors import causes

_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
# Libraries in C and Rust raise errors of their own, with the words of the system and without its number.
_WORDS = ("No space left on device", "os error 28", "Disk quota exceeded", "database or disk is full",
          "PytorchStreamWriter failed writing file")  # fmt: skip


def is_full_disk(error: BaseException) -> bool:
    """Return whether an exception, or one that led to it, says that a disk or a quota is full."""
    return any(
        (isinstance(cause, OSError) and cause.errno in _NUMBERS) or any(words in str(cause) for words in _WORDS)
        for cause in causes(error)
    )
