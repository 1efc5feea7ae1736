"""Parameters and result of ``serve_voice``."""

from pathlib import Path

from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import InputPath, ModelRef, Strict, rare
from jobs.qwen.model_files import check_model
from jobs.qwen.model_info import describe_model


class Params(Strict):
    """Parameters of ``serve_voice``."""

    voices: list[ModelRef] = Field(min_length=1, max_length=16, description="As of synthesize.")
    port: int = Field(0, ge=0, le=65535, description="On 127.0.0.1. Default: a free one.")
    token_file: InputPath | None = rare(None, description="File of the bearer token. Default: a new one of the job.")
    allowed_hosts: list[str] = rare(
        default_factory=list, max_length=20, description="Further accepted Host names, as behind a proxy with TLS."
    )
    slots: int = rare(8, ge=1, le=32, description="Takes spoken at once, for each model.")
    max_queue: int = rare(32, ge=0, le=1000, description="Takes that wait; more are refused with 429.")
    unload_after_min: float = rare(15, gt=0, le=100_000, description="Minutes without a take; the next loads again.")
    end_after_hours: float = rare(8, gt=0, le=10_000, description="Hours without a take after which the job ends.")
    beside_jobs: bool = rare(False, description="Keep the model loaded while other jobs use the GPU.")
    ref_audio: InputPath | None = rare(None, description="Base model only: the clip to clone.")
    ref_text: str | None = rare(None, description="Base model only: what ref_audio says.")


class Result(Strict):
    """Result of ``serve_voice``: of a host that ended for want of requests."""

    url: str = Field(description="Base URL that an OpenAI client took.")
    voices: list[str]
    n_takes: int
    duration_s: float = Field(description="Seconds of speech.")
    up_s: float


def check(params: Params) -> None:
    """Check voices and reference before the job is queued.

    Raises:
        UserError: ``ref_audio_missing``, ``audio_missing``, ``token_file_unusable``, those of the model.
    """
    if params.ref_audio is None and params.ref_text is not None:
        raise UserError("ref_audio_missing", "ref_text is the transcript of ref_audio, and none is given.", "Give it.")
    if params.ref_audio is not None and not Path(params.ref_audio).is_file():
        raise UserError("audio_missing", f"There is no file {params.ref_audio}.", "Check ref_audio.")
    if params.token_file is not None and not Path(params.token_file).is_file():
        raise UserError("token_file_unusable", f"There is no file {params.token_file}.", "Check token_file.")
    for name in params.voices:
        if Path(name).is_absolute():
            check_model(Path(name), name)
            model = describe_model(Path(name))
            if model.kind == "base":
                model.check_reference(is_given=params.ref_audio is not None)
