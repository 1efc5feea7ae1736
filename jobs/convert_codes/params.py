"""Parameters and result of ``convert_codes``: audio codes of clips, (frames, 16) each at 12.5 frames/s."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from jobs.dataset.manifest import check_step
from jobs.param_types import AlignedManifest, InputPath, ModelRef, OutputPath, Strict, Untrusted, rare
from jobs.qwen.model_files import check_tokenizer

DEFAULT_TOKENIZER = "Qwen/Qwen3-TTS-Tokenizer-12Hz"


class Params(Strict):
    """Parameters of ``convert_codes``."""

    manifest: AlignedManifest = Field(description="Dataset: name, folder, or train_aligned.jsonl.")
    out: OutputPath = rare("", description="Default: train_manifest_qwen3.jsonl beside it.")
    tokenizer: ModelRef = Field(DEFAULT_TOKENIZER, description="Hub id, folder, or toy (for trials without weights).")
    ref_audio: InputPath | None = rare(
        None,
        description="Clip for the speaker embedding, in place of the manifest's. Default: the manifest's own, else the "
        "speaker's best-scored clip of 3 to 10 s.",
    )
    augment: list[Literal["loudness", "speed"]] = rare(
        default_factory=list,
        max_length=2,
        description="Also encode copies of the training clips, up to 3 dB louder or softer, or up to 3 % faster or "
        "slower (with the pitch): each step takes a clip or one of its copies. Seldom better.",
    )
    batch_s: float = rare(60.0, gt=0, le=600, description="Audio per batch, seconds; lower it when memory is low.")


class Result(Strict):
    """Result of ``convert_codes``."""

    manifest: str = Field(description="train_manifest_qwen3.jsonl, for start_training.")
    n_clips: int
    n_frames: int
    n_rejected: int
    n_changed_copies: int = Field(0, description="Of training clips; see augment.")
    ref_audio: Untrusted = Field(description="Of the first line.")
    ref_audio_lines: dict[str, int] = Field(
        default_factory=dict,
        description="Lines by origin of ref_audio: kept (the line's own), speaker (another line's), chosen (best), "
        "unusable (its own cannot be read), given, replaced (by the argument).",
    )
    tokenizer: str


def check(params: Params) -> None:
    """Check that the manifest is readable, and the tokenizer where it is a folder."""
    manifest = Path(params.manifest)
    check_step(manifest, "ingested")
    if Path(params.tokenizer).is_absolute():
        check_tokenizer(Path(params.tokenizer), params.tokenizer)
