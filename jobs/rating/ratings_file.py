"""Reader of ``ratings.json``, for jobs that start a rating. Imports the standard library only."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

RATINGS_NAME = "ratings.json"


def read_ratings_file(path: Path) -> dict[str, Any]:
    """Read the ratings of a run; ``takes`` has one entry for each rated take."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def mean_part(ratings: Sequence[Mapping[str, Any]], part: str) -> float | None:
    """Average a part of the ratings over the takes for which it is known; None if it is known for none."""
    known = [float(rating[part]) for rating in ratings if rating.get(part) is not None]
    return round(fmean(known), 4) if known else None
