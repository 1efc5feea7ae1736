"""Elicitation of scores for takes: a form where the client can show one, else a request for the chat."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from jobs.escaping import escape_line
from jobs.param_types import Untrusted
from jobs.runner.call_text import argument_text
from tools.core.tool_types import Ask

MOST_ASKED = 8  # takes on one form; more are asked with the next call
SCALE = "1 unusable, 3 usable with reserve, 5 like the narrator"


class TakeToHear(BaseModel):
    """A take without a person's score."""

    audio: Untrusted
    text: Untrusted


async def ask_scores(ask: Ask, takes: Sequence[TakeToHear]) -> tuple[Mapping[str, int], str] | None:
    """Return scores by audio path, as far as the person gave any, and a note; None when the client cannot ask.

    Raises ``UserError``: the person declined.
    """
    texts = [escape_line(take.text) for take in takes]
    fields: dict[str, Any] = {
        f"take_{place}": (
            int | None,
            Field(None, ge=1, le=5, title=escape_line(Path(take.audio).name), description=f"1 to 5: {text}"[:200]),
        )
        for place, (take, text) in enumerate(zip(takes, texts, strict=True), 1)
    }
    note = (str, Field("", max_length=2000, title="Note", description="Observations."))
    form = create_model("Scores", __config__=ConfigDict(extra="ignore"), note=note, **fields)
    uris = [Path(take.audio).as_uri() for take in takes]
    listed = "\n".join(f"{n}. {uri}\n   {text}" for n, (uri, text) in enumerate(zip(uris, texts, strict=True), 1))
    filled = await ask(
        f"Listen, then rate each take: {SCALE}. Leave out takes that you did not listen to.\n{listed}", form
    )
    if filled is None:
        return None
    given = filled.model_dump()
    scores = {take.audio: given[f"take_{place}"] for place, take in enumerate(takes, 1)}
    return {audio: score for audio, score in scores.items() if score is not None}, given["note"]


def request_in_chat(takes_path: str) -> str:
    """Return the instruction for a client that shows no forms."""
    return (
        f"A person listens to each file of to_rate and gives 1 to 5 ({SCALE}). Then call rate_samples "
        f'{argument_text("takes", takes_path)} scores=… with a list of {{"audio": …, "score": …, "note": …}}. Never '
        "invent scores."
    )
