"""Text becomes speech with a trained voice, or with a base model and a reference clip. What goes in, what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import RARE, InputPath, Language, ModelRef, OutputPath, Strict
from jobs.qwen.model_files import check_model
from jobs.qwen.model_info import describe_model

# Sentences of everyday words with a question, a number of pauses and all vowels; nobody's book.
EVALUATION_TEXTS = (
    "The evening train was late, so we walked home along the river.",
    "Would you rather have tea now, or wait until the others arrive?",
    "She opened the old wooden box, and there, under a blue cloth, lay the letter.",
)

SLOW_WORDS_PER_S, SLOW_SIGNS_PER_S = 2.5, 4.0  # of an unhurried narrator; signs: of scripts that join words
RUNAWAY = 3.0  # times as long: such a take does not end (the limit of alexandria-audiobook2's stop check)
MOST_SECONDS = 60.0


def longest_take_s(texts: Sequence[str]) -> float:
    """A limit that only a take that does not end reaches: for loops, which would pay for every second of it."""
    words = max(len(text.split()) for text in texts) / SLOW_WORDS_PER_S
    signs = max(sum(character >= "\u2e80" for character in text) for text in texts) / SLOW_SIGNS_PER_S
    return min(MOST_SECONDS, round(RUNAWAY * max(words, signs) + 3, 1))


class Params(Strict):
    """Parameters of ``synthesize``."""

    model: ModelRef = Field(description="A voice: name, folder, job_id, handle; or a base model.")
    texts: list[Annotated[str, Field(min_length=1, max_length=2000)]] = Field(
        min_length=1, max_length=200, description="One wav a text."
    )
    takes_per_text: int = Field(
        1,
        ge=1,
        le=20,
        description="Takes of every text, each with a seed of its own: one take says little of a voice that samples.",
        json_schema_extra=RARE,
    )
    speaker: str | None = Field(
        None, description="Speaker of the voice. Default: its only one.", json_schema_extra=RARE
    )
    language: Language | None = Field(None, description="Default: the voice's.", json_schema_extra=RARE)
    ref_audio: InputPath | None = Field(None, description="Base model only: the clip to clone.")
    ref_text: str | None = Field(
        None, description="Base model only: what ref_audio says; without it timbre only.", json_schema_extra=RARE
    )
    out_dir: OutputPath = Field("", description="Default: the job's own folder.")
    greedy: bool = Field(
        False, description="Take the likeliest code each time instead of sampling.", json_schema_extra=RARE
    )
    temperature: float = Field(0.9, gt=0, le=2, json_schema_extra=RARE)
    top_k: int = Field(50, ge=1, le=3000, json_schema_extra=RARE)
    seed: int = Field(
        0, ge=0, description="The same seed and text give the same audio on the same machine.", json_schema_extra=RARE
    )
    max_seconds: float = Field(
        60.0, gt=0, le=600, description="Longest audio per text; a text that never ends is cut.", json_schema_extra=RARE
    )


class Result(Strict):
    """What ``synthesize`` answers with."""

    folder: str
    takes: str = Field(description="takes.jsonl, for rate_samples.")
    wavs: list[str]
    duration_s: float
    compute_s: float
    rtf: float = Field(description="Seconds of compute (without loading) per second of audio.")
    n_hit_limit: int


def check(params: Params) -> None:
    """Texts must say something, takes must differ, and a reference must be a file."""
    for number, text in enumerate(params.texts, 1):
        if not any(character.isalnum() for character in text):
            raise UserError("text_empty", f"Text {number} has no letters or digits: {text!r}.", "Give words to say.")
    if params.greedy and params.takes_per_text > 1:
        raise UserError(
            "takes_identical",
            f"Greedy speech does not hang on the seed: all {params.takes_per_text} takes of a text would be the same.",
            "Leave takes_per_text at 1, or greedy out.",
        )
    if params.ref_audio is None and params.ref_text is not None:
        raise UserError("ref_audio_missing", "ref_text says what ref_audio holds; give it too.", "Give ref_audio.")
    if params.ref_audio is not None and not Path(params.ref_audio).is_file():
        raise UserError("audio_missing", f"There is no file {params.ref_audio}.", "Check ref_audio.")
    if Path(params.model).is_absolute():
        _check_model(Path(params.model), params)


def _check_model(folder: Path, params: Params) -> None:
    """What the model's own files can refuse, before the request waits for its turn. A hub id is looked at later."""
    check_model(folder, params.model)
    model = describe_model(folder)
    model.speaker(params.speaker)
    model.language(params.language)
    model.check_reference(is_given=params.ref_audio is not None)
