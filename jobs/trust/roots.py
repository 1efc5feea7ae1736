"""Roots: the folders that tools and jobs may use, and the one error of a path outside of them."""

from collections.abc import Iterable
from pathlib import Path

from jobs.errors import UserError


def is_inside(path: Path, roots: Iterable[Path]) -> bool:
    """Return whether a real path lies in one of the roots."""
    return any(path.is_relative_to(root) for root in roots)


def outside_roots(message: str, hint: str) -> UserError:
    """Return the error of a path that lies, or leads, out of the roots."""
    return UserError("path_outside_roots", message, hint)
