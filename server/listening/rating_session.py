"""A rating session: takes get a score of 1 to 5, and of two takes of a text one is chosen blindly; of several voices
each two are compared.

Ratings are appended to ``human_ratings.jsonl`` beside the takes, as those of the tool ``rate_samples`` are.
"""

import os
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.dataset.audio_roots import OWN_FOLDER
from jobs.dataset.takes import Take, read_takes
from jobs.errors import UserError
from jobs.files.output_marks import HUMAN_RATINGS
from jobs.rating.human_ratings import HumanRating, Vote, Winner, append_durably


@dataclass(frozen=True)
class PlayableTake:
    """A take with the path of its audio, and the folder of its ``takes.jsonl``."""

    take: Take
    path: Path
    folder: Path


@dataclass(frozen=True)
class BlindPair:
    """Two takes of a text in the order in which they are offered; the page does not know which is which."""

    audio: PlayableTake
    against: PlayableTake
    audio_first: bool

    def offered(self, place: Literal["first", "second"]) -> PlayableTake:
        """Return the take that is offered first or second."""
        return self.audio if (place == "first") == self.audio_first else self.against


class Submission(BaseModel):
    """Fields of every submission."""

    model_config = ConfigDict(extra="forbid")

    who: str = Field("", max_length=100)
    note: str = Field("", max_length=2000)


class ScoreSubmission(Submission):
    """Score of one take, as the page sends it."""

    take: int = Field(ge=0)
    score: int = Field(ge=1, le=5)


class VoteSubmission(Submission):
    """Choice between the two takes of a pair, as the page sends it."""

    pair: int = Field(ge=0)
    winner: Literal["first", "second", "tie"]


class RatingSession:
    """Takes to rate, pairs to compare, and the file of the ratings.

    Args:
        takes_file: ``takes.jsonl``.
        against: others, of further voices; takes of the same texts are compared, of each two files; none: no pairs.
        rng: shuffles the pairs and their order.
        narrator: a clip of the narrator, to hear beside the takes; None: there is none.

    Raises:
        UserError: ``no_common_text``, or those of ``playable_takes``.
    """

    def __init__(
        self,
        takes_file: Path,
        against: Sequence[Path] = (),
        rng: random.Random | None = None,
        narrator: Path | None = None,
    ) -> None:
        rng = rng or secrets.SystemRandom()
        self.narrator = narrator
        self.folder = takes_file.parent
        self.takes = playable_takes(takes_file)
        voices = [self.takes, *map(playable_takes, against)]
        self.folders = [voice[0].folder for voice in voices]
        self.pairs = [pair for one, other in combinations(voices, 2) for pair in _pairs(one, other, rng)]
        rng.shuffle(self.pairs)
        if against and not self.pairs:
            raise UserError(
                "no_common_text",
                f"{', '.join(map(str, against))} and {takes_file} have no text in common.",
                "Synthesize the same texts with all voices.",
            )

    def contents(self) -> dict[str, Any]:
        """Return what the page may know: texts and file names, no models and no folders."""
        return {
            "takes": [{"text": one.take.text, "name": one.path.name} for one in self.takes],
            "pairs": [{"text": pair.audio.take.text} for pair in self.pairs],
            "has_narrator": self.narrator is not None,
        }

    def save_score(self, submission: ScoreSubmission) -> None:
        """Append a score.

        Raises:
            LookupError: no take has this number.
        """
        take = self.takes[submission.take].take
        rating = HumanRating(
            audio=take.audio,
            text=take.text,
            score=submission.score,
            note=submission.note,
            at=_now(),
            who=submission.who,
            model=take.model,
        )
        append_durably(self.folder / HUMAN_RATINGS, [rating])

    def save_vote(self, submission: VoteSubmission) -> None:
        """Append a choice.

        Raises:
            LookupError: no pair has this number.
        """
        pair = self.pairs[submission.pair]
        winner: Winner = "tie"
        if submission.winner != "tie":
            winner = "audio" if (submission.winner == "first") == pair.audio_first else "against"
        vote = Vote(
            audio=pair.audio.take.audio,
            against=os.path.relpath(pair.against.path, pair.audio.folder.resolve()),
            text=pair.audio.take.text,
            winner=winner,
            is_blind=True,
            heard_first="audio" if pair.audio_first else "against",
            note=submission.note,
            at=_now(),
            who=submission.who,
            model=pair.audio.take.model,
            against_model=pair.against.take.model,
        )
        append_durably(pair.audio.folder / HUMAN_RATINGS, [vote])


def playable_takes(takes_file: Path) -> list[PlayableTake]:
    """Return the takes of a file whose audio exists.

    Raises:
        UserError: ``manifest_missing``, ``manifest_unreadable``, ``path_outside_dataset``, ``takes_empty``.
    """
    found = [
        PlayableTake(take, OWN_FOLDER.find(takes_file, takes_file.parent, take.audio), takes_file.parent)
        for take in read_takes(takes_file)
    ]
    existing = [one for one in found if one.path.is_file()]
    if not existing:
        raise UserError("takes_empty", f"No audio file of {takes_file} exists.", "Make takes with synthesize.")
    return existing


def _pairs(takes: Sequence[PlayableTake], others: Sequence[PlayableTake], rng: random.Random) -> list[BlindPair]:
    """Match takes of the same text and number; ``takes`` come first in half of the pairs."""
    by_name = {(other.take.text, other.take.take): other for other in others}
    matched = [(one, by_name[key]) for one in takes if (key := (one.take.text, one.take.take)) in by_name]
    rng.shuffle(matched)
    half = (len(matched) + rng.randrange(2)) // 2
    orders = [True] * half + [False] * (len(matched) - half)
    rng.shuffle(orders)
    return [BlindPair(one, other, first) for (one, other), first in zip(matched, orders, strict=True)]


def _now() -> float:
    return round(time.time(), 3)
