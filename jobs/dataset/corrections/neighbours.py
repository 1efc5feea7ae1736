"""Clips of an ingest by their place in its recordings, for the rejections between them."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate

from jobs.dataset.manifest import Clip, Source


class Neighbours:
    """Index of clips by recording and time. A search takes logarithmic time.

    Args:
        rows: clips in the order of the manifest.
    """

    def __init__(self, rows: Sequence[Clip]) -> None:
        self._rows = rows
        timed = defaultdict(list)
        for number, row in enumerate(rows):
            if row.source is not None:
                timed[row.source.recording].append((row.source.start_s, number))
        self._timed = {recording: sorted(places) for recording, places in timed.items()}
        self._last = {
            recording: list(accumulate((number for _, number in places), max))
            for recording, places in self._timed.items()
        }
        self._first = {recording: min(number for _, number in places) for recording, places in self._timed.items()}

    def place_of(self, source: Source) -> int:
        """Return the number of the last clip that begins before a span in its recording.

        One less than the recording's first clip where none does; the number of all clips for another recording.
        """
        if source.recording not in self._timed:
            return len(self._rows)
        n_before = bisect_left(self._timed[source.recording], (source.start_s, -1))
        return self._last[source.recording][n_before - 1] if n_before else self._first[source.recording] - 1

    def nearest(self, source: Source) -> Clip | None:
        """Return the clip of the same recording that begins nearest to a span; the first of all clips without one."""
        places = self._timed.get(source.recording)
        if not places:
            return next(iter(self._rows), None)
        at = bisect_left(places, (source.start_s, -1))
        before = bisect_left(places, (places[at - 1][0], -1)) if at else 0  # the first that begins at that time
        around = (*places[before : before + 1], *places[at : at + 1])
        return self._rows[min(around, key=lambda place: (abs(place[0] - source.start_s), place[1]))[1]]
