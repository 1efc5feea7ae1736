"""Asks the person for the scores of takes, through the client where it can; else says how to ask in chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from tools.core.tool_types import Ask

MOST_ASKED = 8  # takes on one form; more are asked with the next call
SCALE = "1 unusable, 3 usable with reserve, 5 like the narrator"


class TakeToHear(BaseModel):
    """A take that waits for a person's ears."""

    audio: str
    text: str


async def ask_scores(ask: Ask, takes: Sequence[TakeToHear]) -> tuple[Mapping[str, int], str] | None:
    """Scores by audio path and a note, as far as the person gave any; None when the client cannot ask.

    Args:
        ask: the way to the person.
        takes: at most ``MOST_ASKED``, with absolute paths.

    Raises:
        UserError: the person declined.
    """
    fields: dict[str, Any] = {
        f"take_{place}": (
            int | None,
            Field(None, ge=1, le=5, title=Path(take.audio).name, description=f"1 to 5: {take.text}"[:200]),
        )
        for place, take in enumerate(takes, 1)
    }
    note = (str, Field("", max_length=2000, title="Note", description="What was heard."))
    form = create_model("Scores", __config__=ConfigDict(extra="ignore"), note=note, **fields)
    listed = "\n".join(f"{place}. {Path(take.audio).as_uri()}\n   {take.text}" for place, take in enumerate(takes, 1))
    filled = await ask(f"Listen, then rate each take: {SCALE}. Leave out what you did not hear.\n{listed}", form)
    if filled is None:
        return None
    given = filled.model_dump()
    scores = {take.audio: given[f"take_{place}"] for place, take in enumerate(takes, 1)}
    return {audio: score for audio, score in scores.items() if score is not None}, given["note"]


def how_to_ask(takes_path: str) -> str:
    """What an agent does whose client shows no forms."""
    return (
        f"Ask the person in chat to hear each file of to_rate and to give 1 to 5 ({SCALE}). Then call rate_samples "
        f'takes="{takes_path}" scores=[{{"audio": …, "score": …, "note": …}}]. Never invent scores.'
    )
