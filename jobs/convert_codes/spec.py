"""Declaration of the job kind ``convert_codes``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.convert_codes.params import Params, Result, check
from jobs.cost import Cost, manifest_seconds
from jobs.runner.call_text import call_text
from jobs.runner.job_kind import Example, JobKind, Output, ShellCommand, StartTool

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the training, of the base that has the tokenizer of these codes."""
    call: dict[str, Any] = {"manifest": (record.result or {}).get("manifest", "")}
    tokenizer = str(record.params.get("tokenizer", ""))
    if tokenizer == "toy":
        call["base_model"] = tokenizer
    elif Path(tokenizer).name == "speech_tokenizer":  # of a base in a folder
        call["base_model"] = str(Path(tokenizer).parent)
    call["dry_run"] = True
    return f"Call {call_text('start_training', call)}; web_research_hparams gives settings to start from."


KIND = JobKind(
    name="convert_codes",
    params=Params,
    result=Result,
    entry="jobs.convert_codes.work:run",
    resource="gpu",
    check=check,
    plan="jobs.convert_codes.dry_run:plan",
    plan_ahead="jobs.convert_codes.dry_run:plan_ahead",
    outputs=(
        Output(
            "coded",
            result="manifest",
            parameter="out",
            default="{manifest.parent}/train_manifest_qwen3.jsonl",
            in_dataset=True,
        ),
    ),
    makes={"out": ("convert_rejections.jsonl", "reference/")},
    # one run on two cores: the order of magnitude
    cost=Cost(
        manifest_seconds,
        unit="s of clips",
        s_each=1 / 2,
        s_fixed=15,
        memory_mb=3000,
        bytes_each=1000,
        way=lambda params: str(params["tokenizer"]),
    ),
    tool=StartTool(
        title="Convert clips to audio codes",
        description="""\
Turn clips into the codes that Qwen3-TTS learns: 12.5 frames/s, 16 codebooks.

Use it after align. GPU if there is one, minutes; a download of 0.7 GB the first time. A job; result:
train_manifest_qwen3.jsonl. Next: start_training.""",
        order=30,
        next=next_step,
        step="convert_codes -> train_manifest_qwen3.jsonl.",
        examples=(
            Example("A dataset by its name", {"manifest": "anna"}),
            Example("Without weights, for a trial", {"manifest": "anna", "tokenizer": "toy"}),
        ),
        commands=(ShellCommand("convert-qwen3", ("manifest", "out"), about="convert-qwen3 IN OUT [--tokenizer T]"),),
    ),
)
