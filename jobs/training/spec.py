"""Codes and text become a voice. What goes in, what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from jobs.errors import UserError
from jobs.fields import InputPath, ModelRef, OutputPath, Strict
from jobs.qwen.folder import check_model
from jobs.runner.kind import JobKind
from jobs.speech.manifest import check_step

DEFAULT_BASE = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"


class Params(Strict):
    """Parameters of ``start_training``."""

    manifest: InputPath = Field(description="train_manifest_qwen3.jsonl of convert_codes.")
    base_model: ModelRef = Field(
        DEFAULT_BASE,
        description="Qwen3-TTS 12 Hz base: hub id (0.6B or 1.7B), directory, a voice that was trained here, or toy.",
    )
    out_dir: OutputPath = Field("", description="Where the voice is written. Default: the job's own folder.")
    speaker: str | None = Field(
        None, pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="Name to speak with, lower case. Default: the manifest's."
    )
    method: Literal["full", "lora"] = Field(
        "full", description="full: every weight of the talker learns. lora: small adapters, merged in the export."
    )
    epochs: int = Field(2, ge=1, le=1000, description="Passes over the data. Published good range: 1 to 2 (full).")
    max_steps: int | None = Field(None, ge=1, description="Stop after this many optimiser steps, whatever the epochs.")
    batch_size: int = Field(4, ge=1, le=256, description="Clips per forward pass.")
    gradient_accumulation_steps: int = Field(1, ge=1, le=256, description="Forward passes per optimiser step.")
    lr: float | None = Field(None, gt=0, le=0.1, description="Peak learning rate. Default: 5e-6 (full) or 1e-5 (lora).")
    weight_decay: float = Field(0.01, ge=0, le=1)
    warmup_steps: int | None = Field(
        None, ge=0, description="Linear warm-up, optimiser steps. Default: 50, but at most a tenth of the run."
    )
    max_grad_norm: float = Field(1.0, gt=0)
    code_predictor_weight: float = Field(0.3, ge=0, le=10, description="Weight of the loss of books 1 to 15.")
    lora_r: int = Field(16, ge=1, le=256)
    lora_alpha: int = Field(32, ge=1, le=1024)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    use_8bit_adam: bool = Field(False, description="Keep Adam's state in 8 bits (bitsandbytes).")
    gradient_checkpointing: bool = Field(False, description="Recompute activations: less memory, more time.")
    seed: int = Field(0, ge=0)
    save_every_steps: int = Field(200, ge=1, description="Optimiser steps between resumable checkpoints.")
    resume: bool = Field(True, description="Continue from the last checkpoint in out_dir when there is one.")


class Result(Strict):
    """What ``start_training`` answers with."""

    voice: str = Field(description="Export that stock qwen_tts loads; give it to synthesize.")
    adapter: str | None = Field(None, description="LoRA adapter, unmerged.")
    speaker: str
    steps: int
    first_loss: float
    last_loss: float
    validation_loss: float | None = None
    n_clips: int
    base_check: Literal["aligned", "inconclusive"] = Field(
        description="aligned: the untouched base predicts the next frame better than the one after, as it must."
    )
    plot: str
    tensorboard: str


def check(params: Params) -> None:
    """The manifest must hold codes, and the reference audio must be there."""
    manifest = Path(params.manifest)
    first = check_step(manifest, "coded")
    if first.ref_audio is None:
        raise UserError(
            "manifest_wrong_step", f"{manifest} names no ref_audio.", "Make the manifest with convert_codes."
        )
    if Path(params.base_model).is_absolute():
        check_model(Path(params.base_model), params.base_model)


KIND = JobKind(
    name="training", params=Params, result=Result, entry="jobs.training.work:run", resource="gpu", check=check
)
