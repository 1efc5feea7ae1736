"""Declaration of the job kind ``tune_hparams``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobs.errors import UserError
from jobs.runner.call_text import call_text
from jobs.runner.job_kind import Example, JobKind, Output, ShellCommand, StartTool
from jobs.training.params import may_be_in_a_file
from jobs.tune_hparams.params import Params, Result, ToolArguments, check

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the training of the same base with the best settings."""
    result = record.result or {}
    call: dict[str, Any] = {
        "manifest": result.get("manifest", ""),
        "base_model": record.params["base_model"],
        "hyperparams": result.get("best_config", ""),
    }
    training = record.params.get("training") or {}
    call |= {name: value for name, value in training.items() if not may_be_in_a_file(name, value)}
    card = record.params.get("gpu_memory_gb")
    call |= {"gpu_memory_gb": card} if card else {}
    return f"Call {call_text('start_training', call)}; then synthesize and rate_samples."


def read_original_words(words: Mapping[str, str]) -> dict[str, Any]:
    """Return where the original skill's tuning reads and writes, by the dataset's name and the model's size."""
    size = words.get("--model-size", "1.7b").lower()
    if size not in ("0.6b", "1.7b"):
        raise UserError("bad_usage", f"--model-size is 0.6b or 1.7b, not {size!r}.")
    arguments: dict[str, Any] = {
        "base_model": f"Qwen/Qwen3-TTS-12Hz-{size.upper()}-Base",
        "space": "1.7b",
        "best_config": f"artifacts/tts/qwen3_{size}_bayesian/best_config.json",
    }
    if "--dataset" in words:
        name = words["--dataset"]
        arguments["manifest"] = f"datasets/{name}/train_manifest_qwen3.jsonl"
        arguments["out_dir"] = f"runs/{name}/bayesian_tuning_{size}"
    return arguments


KIND = JobKind(
    name="tune_hparams",
    params=Params,
    result=Result,
    entry="jobs.tune_hparams.work:run",
    resource="director",
    max_tries=20,  # it takes seconds to resume a search, and its trials go on meanwhile
    check=check,
    suggest="jobs.tune_hparams.dry_run:suggest",
    plan="jobs.tune_hparams.dry_run:plan",
    outputs=(
        Output("config", result="best_config"),
        Output("voice", result="voice"),
        Output("coded", result="manifest"),
    ),
    makes={
        "out_dir": (
            *("trial_*/", "optuna_study.db*", "best_config.json", "report.html", "plotly.min.js"),
            *("history.*", "slices.*", "importance.*", "parallel_coordinates.*", "pareto_front.*"),
        )
    },
    tool=StartTool(
        title="Search training settings",
        description="""\
Search learning rate, batch, LoRA shape by short trainings, compared on held-out clips.

Use it when asked, or when the first voice rates below target. COST: GPU, n_trials short trainings, hours; get
approval first. A job; called again it goes on. Next: start_training hyperparams=best_config.""",
        order=50,
        next=next_step,
        arguments=ToolArguments,
        complete="jobs.tune_hparams.dry_run:complete",
        examples=(
            Example("Twelve trials of 300 steps", {"manifest": "anna"}),
            Example(
                "LoRA, rated by what the trials speak",
                {"manifest": "anna", "training": {"method": "lora"}, "objective": "audio"},
            ),
        ),
        commands=(
            ShellCommand(
                "tune-1.7b-bayesian",
                flags={"--n-smoke-steps": "trial_steps", "--data-manifest": "manifest"},
                words={"--dataset": "name of a folder under datasets/", "--model-size": "0.6b or 1.7b (default: 1.7b)"},
                meaning=read_original_words,
                about="tune-1.7b-bayesian --dataset NAME "
                "[--n_trials N --n_smoke_steps N --model_size 1.7b --use_web_research]",
            ),
        ),
    ),
)
