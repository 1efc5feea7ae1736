"""Parameters and result of ``align``: a time and a score for every word of every clip."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from jobs.dataset.manifest import check_step
from jobs.param_types import IngestedManifest, InputPath, ModelRef, OutputPath, Strict, rare

TRIMMED = "trimmed"
"""Folder beside the new manifest for the parts of trimmed clips: the clips' own folder stays as its ingest made it."""


class Params(Strict):
    """Parameters of ``align``."""

    manifest: IngestedManifest = Field(description="Dataset: name, folder, or train_manifest.jsonl.")
    out: OutputPath = rare("", description="Default: train_aligned.jsonl beside it.")
    root: InputPath | None = rare(None, description="Folder that audio paths are relative to. Default: the manifest's.")
    aligner: Literal["auto", "whisperx", "pocketsphinx"] = Field(
        "auto", description="auto: WhisperX if its model is on disk, else pocketsphinx (offline, English)."
    )
    align_model: ModelRef | None = rare(None, description="wav2vec2 model for WhisperX: hub id or directory.")
    min_word_score: float | None = rare(
        None,
        ge=0,
        le=1,
        description="A clip whose mean word score is lower is rejected; 0 rejects none by score. Default: 0.5 with "
        "pocketsphinx (right text was measured at 0.54 and above, wrong text at 0.43 and below), 0 with WhisperX.",
    )


class Result(Strict):
    """Result of ``align``."""

    manifest: str = Field(description="train_aligned.jsonl, for convert_codes.")
    aligner: str
    n_clips: int
    n_rejected: int
    n_trimmed: int = Field(description="Clips whose edge cut a word and was moved to the next pause.")
    n_words: int
    mean_word_score: float
    rejected_by_reason: dict[str, int]


def check(params: Params) -> None:
    """Check that the manifest exists and is readable."""
    check_step(Path(params.manifest), "ingested")
