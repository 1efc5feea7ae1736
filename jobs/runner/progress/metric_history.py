"""Metrics of a job: thinned while the file grows, joined over the attempts when it is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError

from jobs.errors import UserError
from jobs.files.reading import read_bytes
from jobs.runner.models import Progress

LARGEST_BYTES = 64 * 1024 * 1024  # of a progress file, which its writer thins at 2 MB
SHRINK = 0.7  # of the number of intervals, until what is kept fits
RECENT_SHARE = 4  # the newest lines stay as they are, in a quarter of the space: the rate is computed from them


@dataclass(frozen=True)
class MetricHistory:
    """Metrics of a job, in the order of the work.

    Attributes:
        points: the reports with metrics; ``done`` rises within and over the attempts.
        continued_at: ``done`` of the first report of each attempt that went on from an earlier one's points.
    """

    points: list[Progress] = field(default_factory=list)
    continued_at: list[float] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The metrics, in the order in which they were first reported."""
        return list(dict.fromkeys(name for point in self.points for name in point.metrics))


def read(attempts: Iterable[Path]) -> MetricHistory:
    """Join the progress files of a job's attempts, oldest first.

    An attempt does again what the one before had done since its last checkpoint: there the newer one counts.
    """
    points: list[Progress] = []
    continued_at: list[float] = []
    for path in attempts:
        told = [line for line in parse_lines(_lines(path)) if line is not None and line.metrics]
        if not told:
            continue
        start = told[0].done
        points = [point for point in points if point.done < start]
        continued_at = [at for at in continued_at if at < start] + ([start] if points else [])
        points += told
    return MetricHistory(points, continued_at)


def thin_lines(lines: Sequence[bytes], limit_bytes: int) -> list[bytes]:
    """Choose lines that take at most about ``limit_bytes``: the first, the newest, and an even spread between.

    Even in ``done``, or in time where ``done`` does not change. Of each interval the last line of each set of metrics
    is kept, so that rare metrics are not lost among frequent ones.
    Lines that are no progress (torn by a full disk) are dropped.
    """
    known = [(line, told) for line, told in zip(lines, parse_lines(lines), strict=True) if told is not None]
    n_recent = _n_that_fit([line for line, _ in reversed(known[1:])], limit_bytes // RECENT_SHARE)
    old, recent = known[: len(known) - n_recent], known[len(known) - n_recent :]
    left_bytes = limit_bytes - _size(line for line, _ in recent)
    places = _places([told for _, told in old])
    names = [frozenset(told.metrics) for _, told in old]
    chosen: Sequence[int] = range(len(old))
    n_intervals = float(len(old))
    while _size(old[index][0] for index in chosen) > left_bytes and n_intervals > 1:
        n_intervals *= SHRINK
        last = {(int(places[index] * n_intervals), names[index]): index for index in range(1, len(old))}
        chosen = [0, *sorted(last.values())]
    return [old[index][0] for index in chosen] + [line for line, _ in recent]


def parse_lines(lines: Iterable[bytes]) -> list[Progress | None]:
    """Each line as a report; None for one that was torn by a kill or a full disk."""
    return [_parsed(line) for line in lines]


def _parsed(line: bytes) -> Progress | None:
    try:
        return Progress.model_validate_json(line)
    except ValidationError:
        return None


def _lines(path: Path) -> list[bytes]:
    try:
        return read_bytes(path, LARGEST_BYTES).splitlines()
    except (OSError, UserError):
        return []


def _places(told: Sequence[Progress]) -> list[float]:
    """Return the place of each report between the first and the last, 0 to below 1."""
    by_done, by_time = [report.done for report in told], [report.at for report in told]
    for along in (by_done, by_time):
        if len(along) > 1 and along[-1] > along[0] and all(a <= b for a, b in pairwise(along)):
            return [(value - along[0]) / (along[-1] - along[0]) * (1 - 1e-9) for value in along]
    return [index / len(told) for index in range(len(told))]


def _n_that_fit(lines: Sequence[bytes], limit_bytes: int) -> int:
    size = 0
    for number, line in enumerate(lines):
        size += len(line) + 1
        if size > limit_bytes:
            return number
    return len(lines)


def _size(lines: Iterable[bytes]) -> int:
    return sum(len(line) + 1 for line in lines)
