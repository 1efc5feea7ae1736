"""Reader of ``ratings.json``, for jobs that start a rating. Imports no other library."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from jobs.errors import UserError
from jobs.files.json_documents import parse_json
from jobs.files.reading import read_bytes

RATINGS_NAME = "ratings.json"
LARGEST_BYTES = 100_000_000  # 10,000 takes have about 15 MB
HINT = "Rate the takes again with rate_samples."


def read_ratings_file(path: Path) -> dict[str, Any]:
    """Read the ratings of a run; ``takes`` has one entry for each rated take.

    Raises ``UserError``: ``manifest_missing``, ``manifest_unreadable``, ``file_not_regular``, ``file_too_large``.
    """
    try:
        content = parse_json(read_bytes(path, LARGEST_BYTES))
    except OSError as error:
        raise UserError("manifest_missing", f"Cannot open {path}: {error.strerror}.", HINT) from error
    except ValueError as error:
        raise UserError("manifest_unreadable", f"{path} cannot be read as JSON: {error}.", HINT) from error
    if not isinstance(content, dict) or not isinstance(content.get("takes"), list):
        raise UserError("manifest_unreadable", f"{path} holds no list of takes.", HINT)
    return content


def find_rated_takes(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return the rated takes of a folder by the paths of their audio; none where there are no readable ratings."""
    if not (folder / RATINGS_NAME).is_file():
        return {}
    try:
        takes = read_ratings_file(folder / RATINGS_NAME)["takes"]
    except UserError:
        return {}
    named = [take for take in takes if isinstance(take, dict) and isinstance(take.get("audio"), str)]
    return {(folder / take["audio"]).resolve(): take for take in named}


def mean_part(ratings: Sequence[Mapping[str, Any]], part: str) -> float | None:
    """Average a part of the ratings over the takes for which it is known; None if it is known for none."""
    known = [float(rating[part]) for rating in ratings if rating.get(part) is not None]
    return round(fmean(known), 4) if known else None
