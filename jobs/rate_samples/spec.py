"""Synthesised takes get an automatic 1 to 5 with its reasons. What goes in, what comes out."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from jobs.errors import UserError
from jobs.fields import RARE, InputPath, OutputPath, Strict
from jobs.runner.kind import JobKind
from jobs.speech.manifest import Row, check_step


class Params(Strict):
    """Parameters of the automatic rating."""

    takes: InputPath = Field(description="takes.jsonl of synthesize, its folder or job_id.")
    narrator_manifest: InputPath = Field(
        description="train_manifest.jsonl (or a later one) of the narrator: at least 5 clips to compare with."
    )
    out: OutputPath = Field(
        "", description="Ratings file to write. Default: ratings.json beside the takes.", json_schema_extra=RARE
    )
    max_narrator_clips: int = Field(
        20, ge=5, le=200, description="Narrator's clips measured for the profile.", json_schema_extra=RARE
    )


class Rating(Row):
    """One rated take. Parts are 0..1 (null: could not be measured); measures keep their own units."""

    audio: str
    text: str
    rating: float = Field(ge=1, le=5, description="At most 4.5: only a person may give more.")
    uncapped: float = Field(ge=1, le=5, description="The same without that cap, to rank checkpoints by.")
    reasons: list[str] = Field(description="Sentences with value and limit, worst first, and what was not judged.")
    faults: list[str] = Field(default_factory=list, description="Codes of what lowered the rating.")
    intelligibility: float | None = None
    voice: float | None = None
    sound: float | None = None
    timing: float | None = None
    measures: dict[str, float | None] = Field(default_factory=dict)
    heard_words: str | None = Field(None, description="What the recogniser, which expects the text, made of it.")


HUMAN_RATINGS = "human_ratings.jsonl"
"""Beside takes.jsonl: what people said of them."""


class HumanRating(Row):
    """A line of ``human_ratings.jsonl``."""

    audio: str
    text: str
    score: int
    note: str = ""
    at: float
    model: str = ""


class Result(Strict):
    """What the automatic rating answers with."""

    ratings: str = Field(description="ratings.json: every take with its parts and reasons.")
    n_takes: int
    mean_rating: float = Field(description="Automatic, at most 4.5: only a person may give more.")
    mean_uncapped: float = Field(description="The mean without that cap, to compare checkpoints over the same texts.")
    worst_rating: float
    best_take: str
    common_reasons: dict[str, int] = Field(
        description="Codes of what lowered ratings, with how many takes, commonest first."
    )
    n_text_heard: int = Field(description="Takes whose right text scored above every other text of the batch.")
    n_text_compared: int = Field(description="Takes for which there was another English text to compare with.")
    plot: str = Field(description="ratings.png: every take with its parts.")
    caveat: str = Field(description="What the automatic rating cannot hear.")


def check(params: Params) -> None:
    """Takes and the narrator's manifest must be there."""
    takes = Path(params.takes)
    if takes.is_dir():
        takes = takes / "takes.jsonl"
    if not takes.is_file():
        raise UserError("takes_missing", f"There is no {takes}.", "Make takes with synthesize, give its takes.jsonl.")
    check_step(Path(params.narrator_manifest), "ingested")


KIND = JobKind(name="rate_samples", params=Params, result=Result, entry="jobs.rate_samples.work:run", check=check)
