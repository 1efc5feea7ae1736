"""Agreement of people's votes with the automatic rating of the same takes. Imports no heavy library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.rating.human_ratings import Vote, last_votes, wilson_interval
from jobs.rating.ratings_file import RATINGS_NAME, read_ratings_file


@dataclass(frozen=True)
class Agreement:
    """Share of the votes whose winner the automatic rating puts first too, with a 95 % interval.

    Ties, and pairs whose takes are not both rated or are rated alike, do not count.
    """

    n_votes: int
    n_agreeing: int
    share: float
    low: float
    high: float


def compare_with_ratings(votes: Mapping[Path, Sequence[Vote]]) -> Agreement | None:
    """Compare votes with the ``ratings.json`` beside the takes.

    Args:
        votes: by the folder that they are stored in.

    Returns:
        None: no vote can be compared.
    """
    ratings: dict[Path, float] = {}
    read: set[Path] = set()

    def rating_of(audio: Path) -> float | None:
        path = Path(audio).resolve()
        if path.parent not in read:
            read.add(path.parent)
            ratings.update(_read_ratings(path.parent))
        return ratings.get(path)

    outcomes = []
    for folder, given in votes.items():
        for vote in last_votes(given):
            own, other = rating_of(folder / vote.audio), rating_of(folder / vote.against)
            if vote.winner != "tie" and own is not None and other is not None and own != other:
                outcomes.append((own > other) == (vote.winner == "audio"))
    if not outcomes:
        return None
    low, high = wilson_interval(sum(outcomes), len(outcomes))
    return Agreement(len(outcomes), sum(outcomes), sum(outcomes) / len(outcomes), low, high)


def _read_ratings(folder: Path) -> dict[Path, float]:
    """Return the uncapped ratings of a folder's takes by the paths of their audio; none where there are none."""
    if not (folder / RATINGS_NAME).is_file():
        return {}
    try:
        takes = read_ratings_file(folder / RATINGS_NAME)["takes"]
    except UserError:
        return {}
    found = {}
    for take in takes:
        value = take.get("uncapped", take.get("rating")) if isinstance(take, dict) else None
        if isinstance(value, int | float) and isinstance(take.get("audio"), str):
            found[(folder / take["audio"]).resolve()] = float(value)
    return found
