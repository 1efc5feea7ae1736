"""Human ratings of takes: scores of 1 to 5 and votes between two takes, in one file for all clients.

``human_ratings.jsonl`` lies beside ``takes.jsonl``; lines are added, never replaced: two calls are two listenings.
Imports pydantic and the standard library only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.dataset.manifest import (
    LONGEST_TEXT,
    MAX_NAME,
    FileName,
    Row,
    file_inside,
    limit_rows,
    read_numbered_rows,
)
from jobs.errors import UserError
from jobs.files.appending import append_lines
from jobs.files.output_marks import HUMAN_RATINGS
from jobs.files.reading import LONGEST_PATH
from jobs.param_types import Untrusted, first_fault

LONGEST_NOTE = 10_000
MOST_OPINIONS = 50_000
Moment = Annotated[float, Field(ge=0, le=1e11)]
Winner = Literal["audio", "against", "tie"]


class Opinion(Row):
    """Fields of every opinion; others are dropped: the server holds all opinions of a folder at once."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    audio: Untrusted = Field(max_length=LONGEST_PATH)
    text: Untrusted = Field(max_length=LONGEST_TEXT)
    note: Untrusted = Field("", max_length=LONGEST_NOTE)
    at: Moment
    """When, in seconds since 1970."""
    who: str = Field("", max_length=MAX_NAME)
    model: FileName = ""


class HumanRating(Opinion):
    """A person's score of one take."""

    score: int = Field(ge=1, le=5)


class Vote(Opinion):
    """Preference of a person between two takes of the same text.

    Attributes:
        audio: a take of the folder that the record lies in; ``against``: the other one, there or elsewhere.
        is_blind: the person did not know which was which.
        heard_first: the order in which they were offered.
    """

    against: Untrusted = Field(max_length=LONGEST_PATH)
    winner: Winner
    is_blind: bool = False
    heard_first: Literal["audio", "against"] = "audio"
    against_model: FileName = ""


@dataclass(frozen=True)
class Opinions:
    """Everything people said of a folder's takes, in the order of saying it."""

    scores: tuple[HumanRating, ...] = ()
    votes: tuple[Vote, ...] = ()

    def of(self, audio: str) -> list[HumanRating]:
        """Each person's last score of a take."""
        return list(self._last_scores.get(audio, {}).values())

    @cached_property
    def _last_scores(self) -> dict[str, dict[str, HumanRating]]:
        """Each person's last score by take and person, in the order of their first."""
        found: dict[str, dict[str, HumanRating]] = {}
        for score in self.scores:
            found.setdefault(score.audio, {})[score.who] = score
        return found


def read_opinions(folder: Path) -> Opinions:
    """Read the record beside a ``takes.jsonl``, empty if missing; raise ``manifest_unreadable`` with the line."""
    path = file_inside(folder, HUMAN_RATINGS)
    if not path.is_file():
        return Opinions()
    scores: list[HumanRating] = []
    votes: list[Vote] = []
    for number, row in limit_rows(read_numbered_rows(path, Row), path, MOST_OPINIONS):
        said = row.model_dump()
        try:
            if "winner" in said:
                votes.append(Vote.model_validate(said))
            else:
                scores.append(HumanRating.model_validate(said))
        except ValidationError as error:
            raise UserError(
                "manifest_unreadable",
                f"{path}, line {number}: {first_fault(error)}.",
                "A line is a score (audio, text, score, at) or a vote (audio, against, text, winner, at).",
            ) from error
    return Opinions(tuple(scores), tuple(votes))


def append_durably(path: Path, rows: Sequence[BaseModel]) -> None:
    """Append opinions; raises as ``append_lines``."""
    append_lines(path, lambda: [row.model_dump_json(exclude_defaults=True) for row in rows])


@dataclass(frozen=True)
class Preference:
    """Share of votes that prefer one model's takes to another's, with a 95 % interval; a tie is half a win."""

    model: str
    against_model: str
    n_votes: int
    n_ties: int
    n_blind: int
    share: float
    low: float
    high: float


def last_votes(votes: Sequence[Vote]) -> list[Vote]:
    """Return the last vote of each person between the same two takes."""
    found = {
        (vote.who, frozenset(((vote.model, vote.audio), (vote.against_model, vote.against)))): vote for vote in votes
    }
    return list(found.values())


def preferences(votes: Sequence[Vote]) -> list[Preference]:
    """Compute win rates of each two models that were compared, in either order.

    Of a person's votes between the same two takes the last one counts. With two models a win rate says what Elo or
    Bradley-Terry would, and its interval needs no fit; ``bradley_terry`` ranks more.
    """
    pairs: dict[tuple[str, str], list[Vote]] = {}
    for vote in last_votes(votes):
        pair = (vote.model, vote.against_model)
        pairs.setdefault(pair[::-1] if pair[::-1] in pairs else pair, []).append(vote)
    found = []
    for (model, against), given in sorted(pairs.items()):
        n_ties = sum(vote.winner == "tie" for vote in given)
        wins = 0.5 * n_ties
        for vote in given:
            is_turned = (vote.model, vote.against_model) != (model, against)
            wins += vote.winner == ("against" if is_turned else "audio")
        low, high = wilson_interval(wins, len(given))
        n_blind = sum(vote.is_blind for vote in given)
        share = wins / len(given)
        found.append(Preference(model, against, len(given), n_ties, n_blind, share, low, high))
    return found


def wilson_interval(wins: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927);
    unlike the normal interval it holds for few votes and for shares of 0 and 1.
    """
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = wins / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
