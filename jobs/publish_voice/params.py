"""Parameters and result of ``publish_voice``."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from jobs.errors import UserError
from jobs.files.reading import check_regular
from jobs.param_types import InputPath, ModelRef, OutputPath, Strict, TakesPath, Untrusted, rare
from jobs.publishing.options import LICENSE, LONGEST_CONSENT, REPOSITORY
from jobs.qwen.model_files import check_model, read_card
from jobs.qwen.model_info import describe_model
from jobs.rating.ratings_file import read_ratings_file

Engine = Literal["qwen-tts", "qwen-tts-hf", "vllm-omni", "mlx-audio", "audio.cpp", "comfyui"]


class Params(Strict):
    """Parameters of ``publish_voice``."""

    model: ModelRef = Field(description="A trained voice.")
    engine: Engine = Field("qwen-tts", description="")
    repository: str | None = Field(None, pattern=REPOSITORY, description="OWNER/NAME on the Hub.")
    consent: str = Field("", max_length=LONGEST_CONSENT, description="Whose voice, what was agreed.")
    out_dir: OutputPath = rare("", description="Default: for-ENGINE beside the voice.")
    private: bool = rare(True, description="Of a new repository.")
    license: str | None = rare(None, pattern=LICENSE, description="SPDX identifier of the voice's own licence.")
    takes: TakesPath | None = rare(None, description="Samples to play. Default: the newest takes of this voice.")
    ratings: InputPath | None = rare(None, description="ratings.json. Default: the newest of those takes.")
    n_samples: int = rare(5, ge=0, le=20, description="Takes that are published.")


class Result(Strict):
    """Result of ``publish_voice``."""

    folder: str
    n_files: int
    megabytes: float
    speakers: list[Untrusted] = Field(description="Names by which the engine calls the voice.")
    commands: list[str] = Field(description="How to speak with it.")
    checked: str = Field(description="What was loaded to check it.")
    address: str | None = Field(None, description="Of the repository.")
    commit: str | None = None


def check(params: Params) -> None:
    """Check the voice, samples and ratings, and that consent is stated before anything goes to the Hub.

    Raises:
        UserError: ``voice_not_trained``, ``consent_missing``, those of ``check_model`` and of the files.
    """
    voice = Path(params.model)
    if not voice.is_absolute():
        raise not_a_voice(params.model)
    check_model(voice, params.model)
    if describe_model(voice).kind != "custom_voice":
        raise not_a_voice(params.model)
    if params.repository is not None and not find_consent(params):
        raise UserError(
            "consent_missing",
            f"Whose voice {params.model} is, and what that person agreed to, is stated neither here nor in its card.",
            "Say in consent who agreed to what, in their words. Never guess it.",
        )
    for path in (params.takes, params.ratings):
        if path is not None and Path(path).exists() and not Path(path).is_dir():
            check_regular(Path(path))
    if params.ratings is not None:
        read_ratings_file(Path(params.ratings))


def find_consent(params: Params) -> str:
    """Return what is stated about consent: by the call, else by the training of the voice; empty: nothing."""
    if params.consent.strip():
        return params.consent.strip()
    rights = str((read_card(Path(params.model)) or {}).get("rights") or "")
    return "" if rights.startswith("The owner of this voice") else rights[:LONGEST_CONSENT]


def not_a_voice(model: str) -> UserError:
    """Return the error for a model that has no voice of its own."""
    return UserError(
        "voice_not_trained", f"{model} is no trained voice.", "Give a voice from start_training; list_jobs what=voices."
    )
