"""Outputs of a job: where it writes, whether something of somebody else's is in the way, and the marks of what it made.

A parameter that is marked as an output and whose name ends in ``_dir`` names a folder; any other names a file.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.files.output_marks import IsKnown, Place
from jobs.param_types import PathMark, Strict, find_mark
from jobs.runner.job_kind import JobKind

MOST_NAMED = 5


def find_places(kind: JobKind, params: Strict, home: Path) -> list[Place]:
    """Return what a job of these parameters may write outside its own folder."""
    return list(_places(kind, params, home))


def _places(kind: JobKind, params: Strict, home: Path) -> Iterator[Place]:
    inputs = [
        Path(value)
        for parameter, info in type(params).model_fields.items()
        if isinstance(mark := find_mark(info), PathMark)
        and mark.direction == "input"
        and isinstance(value := getattr(params, parameter), str)
    ]
    for parameter, info in type(params).model_fields.items():
        mark, value = find_mark(info), getattr(params, parameter)
        if not isinstance(mark, PathMark) or mark.direction != "output" or not value:
            continue
        path, names = Path(value), kind.makes.get(parameter, ())
        if path.is_relative_to(home / "jobs"):
            continue
        if parameter.endswith("_dir"):
            given = frozenset(file.name for file in inputs if file.parent == path)
            yield Place(path, names, f"{kind.name}.{parameter}", given)
        else:
            own = {"name": _literal(path.name), "stem": _literal(path.stem)}
            beside = tuple(name.format(**own) for name in names)
            yield Place(path.parent, (_literal(path.name), *beside), f"{kind.name}.{path.name[:100]}")


def _literal(name: str) -> str:
    """A name as a pattern that matches nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def list_replaced(places: Sequence[Place]) -> list[str]:
    """Return the paths that exist and that the job would write over."""
    return [str(place.folder / name) for place in places for name in place.existing()]


def refuse_foreign(places: Sequence[Place], is_known: IsKnown) -> None:
    """Check that a job would replace only what known jobs have made and what is unchanged since.

    Raises:
        UserError: ``output_not_ours``.
    """
    for place in places:
        if place.folder.exists() and not place.folder.is_dir():
            raise UserError("path_unusable", f"{place.folder} is not a folder.", "Give another output path.")
        names = place.foreign(is_known)
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            raise UserError(
                "output_not_ours",
                f"{place.folder} holds {', '.join(names[:MOST_NAMED])}{more}, which this job would replace: "
                "no job made that, or it was changed since.",
                "Give another output path, or move these away first. Nothing was changed.",
            )


def claim(places: Sequence[Place], job_id: str, known: Collection[str] = ()) -> None:
    """Mark what a job is about to write as its own; ``known`` jobs may have written there before.

    Raises as ``refuse_foreign``; ``path_is_link``.
    """
    refuse_foreign(places, lambda job, folder: math.inf if job == job_id or job in known else None)
    for place in places:
        place.claim(job_id)


def seal(places: Sequence[Place], job_id: str) -> None:
    """Record what a job that has ended, well or not, has made; after ``claim``.

    Raises:
        UserError: ``path_is_link``.
        OSError: the disk is full, a file cannot be read, and the like.
    """
    for place in places:
        place.seal(job_id)
