"""Declaration of the job kind ``refine_voice``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.dataset.names import name_of_voice
from jobs.refine_voice.params import Params, Result, check
from jobs.runner.call_text import NEW_TEXT, call_text
from jobs.runner.job_kind import Example, JobKind, Output, ShellCommand, StartTool

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the verdict, and the speaking of the best round's voice."""
    result = record.result or {}
    call = {"model": result.get("voice", ""), "texts": [NEW_TEXT]}
    round_of = f"The voice is round {result['best_iteration']}'s. " if "best_iteration" in result else ""
    return (
        f"{round_of}Read the verdict; a person should listen to the takes in {result.get('report', 'the report')}. "
        f"Call {call_text('synthesize', call)} (any sentences that were not trained on)."
    )


def name_folder(params: Mapping[str, Any]) -> str:
    """Return the name of the best voice's folder in ``voices``; empty where ``out_dir`` says where it is."""
    speaker = params["training"].get("speaker")
    return "" if params["out_dir"] else name_of_voice(str(speaker or ""), Path(params["manifest"]))


KIND = JobKind(
    name="refine_voice",
    params=Params,
    result=Result,
    entry="jobs.refine_voice.work:run",
    resource="director",
    max_tries=20,  # it takes seconds to resume the loop, and its jobs go on meanwhile
    check=check,
    plan="jobs.refine_voice.dry_run:plan",
    outputs=(
        Output("voice", result="voice", parameter="out_dir", path="final_model"),
        Output("voice", result="voice", parameter="voice_dir", path="voice", default="{home}/voices", name=name_folder),
        Output("config", result="best_config"),
    ),
    makes={
        "out_dir": (
            *("hyperparameter_search/", "checkpoints/", "evaluations/", "final_model"),
            *("report.json", "report.html", "losses.png", "rounds.png"),
        ),
        "voice_dir": ("voice",),
    },
    tool=StartTool(
        title="Train, listen, continue",
        description="""\
Train in rounds: after each, speak, rate, then stop, continue, or roll back and adjust.

Use it for the best voice that the data allow. COST: GPU, max_iterations trainings; get approval first. The best
round becomes final_model. rating=person waits in every round for rate_samples scores. A job. Next: synthesize.""",
        order=90,
        next=next_step,
        complete="jobs.refine_voice.params:complete",
        examples=(
            Example("Up to five rounds, rated automatically", {"manifest": "anna"}),
            Example("A person rates every round", {"manifest": "anna", "rating": "person", "quality_threshold": 4.5}),
        ),
        commands=(
            ShellCommand(
                "iterative-train",
                flags={
                    "--model-path": "base_model",
                    "--data": "manifest",
                    "--output": "out_dir",
                    "--eval-phrases": "texts",
                },
                switches={"--auto-evaluate": ("rating", "automatic")},
                meaning=lambda _: {"rating": "person"},
                about="iterative-train --model-path M --data F --output D "
                "[--run-hyperparameter-search --auto-evaluate …]",
            ),
        ),
    ),
)
