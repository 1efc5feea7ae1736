"""Bound of what is written from a dataset that may be a stranger's: a short list of cuts would else fill the disk."""

from pathlib import Path

from jobs.errors import UserError

ALWAYS_BYTES = 2_000_000_000
MOST_TIMES = 40  # the size of the recordings: the smallest speech codecs reach 32, of sound that is cut once


class WriteBudget:
    """Bytes that were written, beside the sizes of the files that they come from."""

    def __init__(self) -> None:
        self._sources: set[Path] = set()
        self._read = self._written = 0

    def read(self, source: Path) -> None:
        """Note a source."""
        if source not in self._sources:
            self._sources.add(source)
            self._read += source.stat().st_size

    def write(self, n_bytes: int) -> None:
        """Note what was written.

        Raises:
            UserError: ``limit_reached``: it is far more than the sources hold.
        """
        self._written += n_bytes
        if self._written > ALWAYS_BYTES + MOST_TIMES * self._read:
            raise UserError(
                "limit_reached",
                f"{self._written / 1e6:,.0f} MB were written from {self._read / 1e6:,.1f} MB of recordings: the list "
                "cuts far more from them than they hold.",
                "Check the list for lines that repeat the same parts.",
            )
