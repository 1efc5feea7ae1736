"""Parameters and result of ``synthesize``: text to speech, by a trained voice or a base model and a reference clip."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import InputPath, Language, ModelRef, OutputPath, Strict, rare
from jobs.qwen.model_info import check_request

# Sentences of everyday words with a question, several pauses and all vowels; written for this project.
EVALUATION_TEXTS = (
    "The evening train was late, so we walked home along the river.",
    "Would you rather have tea now, or wait until the others arrive?",
    "She opened the old wooden box, and there, under a blue cloth, lay the letter.",
)

SpokenText = Annotated[str, Field(min_length=1, max_length=2000)]
"""Text of one take."""
Instruct = Annotated[str, Field(max_length=1000)]
"""How to speak: "calmly, with a smile"."""


class Params(Strict):
    """Parameters of ``synthesize``."""

    model: ModelRef = Field(description="A voice: name, folder, job_id, handle; or a base model.")
    texts: list[SpokenText] = Field(min_length=1, max_length=500, description="One wav for each text.")
    compare_with: list[ModelRef] = rare(
        default_factory=list, max_length=50, description="Further voices that speak the same texts, to be compared."
    )
    takes_per_text: int = rare(
        1,
        ge=1,
        le=20,
        description="Takes of every text, each with its own seed: sampled takes differ, one says little of a voice.",
    )
    speaker: str | None = rare(None, description="Speaker of the voice. Default: its only one.")
    language: Language | None = rare(None, description="Default: the voice's.")
    instruct: Instruct | None = rare(None, description="How to speak, in words; a 1.7B voice or VoiceDesign.")
    ref_audio: InputPath | None = Field(None, description="Base model only: the clip to clone.")
    ref_text: str | None = rare(None, description="Base model only: what ref_audio says; without it timbre only.")
    out_dir: OutputPath = Field("", description="Default: the job's own folder.")
    greedy: bool = rare(False, description="Take the likeliest code each time instead of sampling.")
    temperature: float = rare(0.9, gt=0, le=2)
    top_k: int = rare(50, ge=1, le=3000)
    top_p: float = rare(1.0, gt=0, le=1)
    repetition_penalty: float = rare(1.05, ge=1, le=2, description="Of codebook 0.")
    subtalker_temperature: float | None = rare(None, gt=0, le=2, description="Of codebooks 1 to 15. Default: as above.")
    subtalker_top_k: int | None = rare(None, ge=1, le=3000)
    subtalker_top_p: float | None = rare(None, gt=0, le=1)
    subtalker_greedy: bool | None = rare(None, description="Default: as greedy.")
    seed: int = rare(0, ge=0, description="The same seed and text give the same audio on the same machine.")
    max_seconds: float | None = rare(
        None,
        gt=0,
        le=600,
        description="Longest audio per text; a take without an end is cut there. Default: three times what the "
        "narrator needs for the text.",
    )


class Result(Strict):
    """Result of ``synthesize``."""

    folder: str
    takes: str = Field(description="takes.jsonl, for rate_samples.")
    wavs: list[str]
    duration_s: float
    compute_s: float
    rtf: float = Field(description="Seconds of compute (without loading) per second of audio.")
    n_hit_limit: int


def check(params: Params) -> None:
    """Check that texts hold words, that takes can differ and that the reference is a file.

    Raises:
        UserError: ``text_empty``, ``takes_identical``, ``ref_audio_missing``, ``audio_missing``, those of the model.
    """
    for number, text in enumerate(params.texts, 1):
        if not any(character.isalnum() for character in text):
            raise UserError(
                "text_empty", f"Text {number} has no letters or digits: {text!r}.", "Give a text with words."
            )
    if params.greedy and params.takes_per_text > 1:
        raise UserError(
            "takes_identical",
            f"Greedy decoding ignores the seed: all {params.takes_per_text} takes of a text would be equal.",
            "Set takes_per_text to 1, or leave greedy out.",
        )
    if params.ref_audio is None and params.ref_text is not None:
        raise UserError(
            "ref_audio_missing",
            "ref_text is the transcript of ref_audio, and no ref_audio is given.",
            "Give ref_audio.",
        )
    if params.ref_audio is not None and not Path(params.ref_audio).is_file():
        raise UserError("audio_missing", f"There is no file {params.ref_audio}.", "Check ref_audio.")
    for name in (params.model, *params.compare_with):
        check_request(
            name,
            speaker=params.speaker,
            language=params.language,
            instruct=params.instruct,
            has_reference=params.ref_audio is not None and name == params.model,
        )
