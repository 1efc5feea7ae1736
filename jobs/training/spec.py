"""Declaration of the job kind ``training``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.dataset.names import name_of_voice
from jobs.qwen.model_files import EXPORTED_FILES, is_of_toy
from jobs.runner.call_text import NEW_TEXT, call_text
from jobs.runner.job_kind import Example, JobKind, Output, ShellCommand, StartTool
from jobs.training.extension import CHECKPOINTS, STATE_FILES
from jobs.training.params import TOY_LIMITS, Params, Result, check

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord

MOST_COMPARED = 8
WEIGHT_FILES = {
    **dict.fromkeys(("voice", "voice-last", "voice-ema", "adapter"), EXPORTED_FILES),
    CHECKPOINTS: STATE_FILES,
}
"""Paths of the files with weights, by the folder of a training that holds them."""


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the speaking of the voice; of several ones, together, to find the best by ear and by rating."""
    result = record.result or {}
    if not result.get("voice") or not Path(result["voice"]).is_dir():
        return (
            "Its voice is not there any more: it was moved, or it was a trial of tune_hparams, which keeps the best "
            "trial's voice only. Call list_jobs for other voices."
        )
    first, last = result.get("first_loss"), result.get("last_loss")
    course = ""
    if first is not None and last is not None and last >= first:
        course = f"The loss did not fall ({first:.3g} to {last:.3g}): more steps or another lr first. By ear: "
    limits = f"{TOY_LIMITS} " if is_of_toy(str(record.params.get("base_model"))) else ""
    return limits + course + _speak(record)


def _speak(record: JobRecord) -> str:
    result = record.result or {}
    steps = [one["step"] for one in result.get("exports", []) if one["step"] != result.get("voice_step")]
    others = [name for name in ("voice-last", "voice-ema") if result.get(name.replace("-", "_"))]
    others += [f"voice-{step}" for step in steps[-MOST_COMPARED:]]
    call = {"model": result["voice"], "speaker": result.get("speaker", ""), "texts": [NEW_TEXT]}
    if not others:
        return f"Call {call_text('synthesize', call)} (any sentences that were not trained on)."
    call["compare_with"] = [f"artifact://{record.job_id}/{name}" for name in others]
    is_last = record.params.get("export") == "last" or result.get("validation_loss") is None
    return (
        f"The voice is {'the last' if is_last else 'the best by loss'}. By ear: {result.get('report')}. The best by "
        f"rating: Call {call_text('synthesize', call)} (any sentences that were not trained on), then rate_samples."
    )


def name_folder(params: Mapping[str, Any]) -> str:
    """Return the name of the voice's folder in ``voices``."""
    return name_of_voice(params["speaker"] or "", Path(params["manifest"]))


KIND = JobKind(
    name="training",
    params=Params,
    result=Result,
    entry="jobs.training.work:run",
    resource="gpu",
    check=check,
    suggest="jobs.training.planning.presets:suggest",
    plan="jobs.training.planning.dry_run:plan",
    plan_ahead="jobs.training.planning.dry_run:plan_ahead",
    outputs=(
        Output("voice", result="voice", parameter="out_dir", path="voice", default="{home}/voices", name=name_folder),
    ),
    makes={
        "out_dir": (
            *("voice", "voice-last", "voice-ema", "adapter", "base", "samples", "exports/", "checkpoints/"),
            *("tensorboard/", "logs/", "loss.png", "report.json", "report.html", "rejected_rows.jsonl"),
        )
    },
    tool=StartTool(
        name="start_training",
        title="Train a Qwen3-TTS voice",
        description="""\
Train a voice on a coded manifest: every weight, or LoRA adapters merged in the export.

COST: GPU, minutes to hours, a download of 2.5 (0.6B) or 4.5 GB (1.7B) the first time; get approval first, after
a dry_run. base_model=toy needs neither. A job; the same call continues it. Result: the voice, report.
Next: synthesize.""",
        order=60,
        next=next_step,
        step="start_training -> a voice; needs approval for GPU hours.",
        examples=(
            Example("Check and estimate first", {"manifest": "anna", "dry_run": True}),
            Example(
                "The larger model with LoRA",
                {"manifest": "anna", "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "method": "lora"},
            ),
            Example("Without GPU and weights, for a trial", {"manifest": "anna", "base_model": "toy"}),
        ),
        commands=(
            ShellCommand(
                "train-qwen3",
                flags={"--data-manifest": "manifest"},
                switches={"--use-lora": ("method", "lora"), "--use-8bit-adam": ("optimizer", "adamw_8bit")},
                lowered=("speaker",),
                about="train-qwen3 --base-model M --data-manifest F --out-dir D [--epochs N --lr X --use-lora …]",
            ),
        ),
    ),
)
