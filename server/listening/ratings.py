"""What a person listens to, and what comes of it: takes get 1 to 5, of two takes of a text one is chosen blindly.

What is said goes into the takes' ``human_ratings.jsonl``, where the tool's scores go too.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.dataset.manifest import check_audio_inside
from jobs.dataset.takes import Take, read_takes
from jobs.errors import UserError
from jobs.rating.human_ratings import HUMAN_RATINGS, HumanRating, Vote, Winner, append_durably


@dataclass(frozen=True)
class Recording:
    """A take with its wav."""

    take: Take
    path: Path


@dataclass(frozen=True)
class Pair:
    """Two takes of a text in the order in which they are offered; the page never learns which is which."""

    audio: Recording
    against: Recording
    audio_first: bool

    def offered(self, place: Literal["first", "second"]) -> Recording:
        """The take that is offered first or second."""
        return self.audio if (place == "first") == self.audio_first else self.against


class Said(BaseModel):
    """What every answer may hold."""

    model_config = ConfigDict(extra="forbid")

    who: str = Field("", max_length=100)
    note: str = Field("", max_length=2000)


class SaidScore(Said):
    """What the page sends for a take."""

    take: int = Field(ge=0)
    score: int = Field(ge=1, le=5)


class SaidVote(Said):
    """What the page sends for a pair."""

    pair: int = Field(ge=0)
    winner: Literal["first", "second", "tie"]


class Listening:
    """What is listened to, and where the answers go.

    Args:
        takes_file: ``takes.jsonl``.
        against: another ``takes.jsonl``, whose takes of the same texts are compared with these; None: none are.
        chance: shuffles the pairs and their order.
    """

    def __init__(self, takes_file: Path, against: Path | None = None, chance: random.Random | None = None) -> None:
        chance = chance or secrets.SystemRandom()
        self.folder = takes_file.parent
        self.takes = recordings(takes_file)
        self.pairs = _pairs(self.takes, recordings(against), chance) if against is not None else []
        if against is not None and not self.pairs:
            raise UserError(
                "no_common_text",
                f"{against} has no take of a text that {takes_file} has.",
                "Let both voices say the same texts with synthesize.",
            )

    def contents(self) -> dict[str, Any]:
        """What the page may know: texts, no names of models, no places of files."""
        return {
            "takes": [{"text": one.take.text, "name": one.path.name} for one in self.takes],
            "pairs": [{"text": pair.audio.take.text} for pair in self.pairs],
        }

    def score(self, said: SaidScore) -> None:
        """Keep a score.

        Raises:
            LookupError: there is no such take.
        """
        take = self.takes[said.take].take
        rating = HumanRating(
            audio=take.audio,
            text=take.text,
            score=said.score,
            note=said.note,
            at=_now(),
            who=said.who,
            model=take.model,
        )
        append_durably(self.folder / HUMAN_RATINGS, [rating])

    def vote(self, said: SaidVote) -> None:
        """Keep a choice.

        Raises:
            LookupError: there is no such pair.
        """
        pair = self.pairs[said.pair]
        winner: Winner = "tie"
        if said.winner != "tie":
            winner = "audio" if (said.winner == "first") == pair.audio_first else "against"
        vote = Vote(
            audio=pair.audio.take.audio,
            against=os.path.relpath(pair.against.path, self.folder.resolve()),
            text=pair.audio.take.text,
            winner=winner,
            is_blind=True,
            heard_first="audio" if pair.audio_first else "against",
            note=said.note,
            at=_now(),
            who=said.who,
            model=pair.audio.take.model,
            against_model=pair.against.take.model,
        )
        append_durably(self.folder / HUMAN_RATINGS, [vote])


def recordings(takes_file: Path) -> list[Recording]:
    """The takes of a file whose audio is there.

    Raises:
        UserError: ``manifest_missing``, ``manifest_unreadable``, ``path_outside_dataset``, ``takes_empty``.
    """
    found = [
        Recording(take, check_audio_inside(takes_file, takes_file.parent, take.audio))
        for take in read_takes(takes_file)
    ]
    there = [one for one in found if one.path.is_file()]
    if not there:
        raise UserError("takes_empty", f"{takes_file} names no audio that is there.", "Make takes with synthesize.")
    return there


def _pairs(takes: Sequence[Recording], others: Sequence[Recording], chance: random.Random) -> list[Pair]:
    """Takes of the same text and number, shuffled; these takes come first in half of the pairs."""
    by_name = {(other.take.text, other.take.take): other for other in others}
    matched = [(one, by_name[key]) for one in takes if (key := (one.take.text, one.take.take)) in by_name]
    chance.shuffle(matched)
    half = (len(matched) + chance.randrange(2)) // 2
    orders = [True] * half + [False] * (len(matched) - half)
    chance.shuffle(orders)
    return [Pair(one, other, first) for (one, other), first in zip(matched, orders, strict=True)]


def _now() -> float:
    return round(time.time(), 3)
