"""One book in several formats within a folder: only one of them is read, or every sentence would come twice."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Protocol

from jobs.audio.recording import RecordingInfo

LOSSLESS = (".wav", ".flac", ".w64", ".aiff", ".aif", ".caf")
# Two encodings of one recording differ by the encoders' delays and a cut-off packet.
SAME_S, SAME_SHARE = 1.0, 0.002
MAX_NAMED = 3


class Described(Protocol):
    """A recording whose container has been read."""

    info: RecordingInfo


def find_copies(recordings: Mapping[str, Described]) -> tuple[set[str], list[str]]:
    """Find the names of recordings that others of the folder repeat in another format, and notes for the report.

    Files of one folder and suffix are a version of the book. Two versions are the same if their files have the same
    names and lengths, or if one is a single file of the other's whole length.
    """
    versions: dict[tuple[str, str], list[str]] = {}
    for name in recordings:
        path = PurePosixPath(name)
        versions.setdefault((str(path.parent), path.suffix.lower()), []).append(name)
    ordered = sorted(versions.values(), key=lambda names: _rank(names, recordings), reverse=True)
    kept: list[list[str]] = []
    copies: set[str] = set()
    notes: list[str] = []
    for names in ordered:
        first = next((other for other in kept if _are_same(names, other, recordings)), None)
        if first is None:
            kept.append(names)
            continue
        copies.update(names)
        notes.append(
            f"{_listed(names)} repeats {_listed(first)} in another format, by names and lengths: only the latter is "
            "read. Give the path of one file to choose."
        )
    return copies, notes


def _rank(names: Sequence[str], recordings: Mapping[str, Described]) -> tuple[int, int, bool, int]:
    """Return what is better: marks of chapters, parts, no loss, a higher rate."""
    infos = [recordings[name].info for name in names]
    n_marks = sum(len(info.chapters) for info in infos)
    is_lossless = names[0].lower().endswith(LOSSLESS)
    return n_marks, len(names), is_lossless, min(info.sample_rate_hz for info in infos)


def _are_same(some: Sequence[str], others: Sequence[str], recordings: Mapping[str, Described]) -> bool:
    lengths = [[recordings[name].info.duration_s or 0.0 for name in names] for names in (some, others)]
    if not all(lengths[0]) or not all(lengths[1]):
        return False
    if len(some) == len(others):
        stems = [[PurePosixPath(name).stem.casefold() for name in names] for names in (some, others)]
        of_one_name = dict(zip(stems[1], lengths[1], strict=True))
        return sorted(stems[0]) == sorted(stems[1]) and all(
            _is_close(length, of_one_name[stem]) for stem, length in zip(stems[0], lengths[0], strict=True)
        )
    is_whole = min(len(some), len(others)) == 1
    return is_whole and _is_close(sum(lengths[0]), sum(lengths[1]), max(len(some), len(others)))


def _is_close(first_s: float, second_s: float, n_files: int = 1) -> bool:
    return abs(first_s - second_s) <= max(SAME_S * min(n_files, 5), SAME_SHARE * first_s)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(map(repr, sorted(names)[:MAX_NAMED])) + more
