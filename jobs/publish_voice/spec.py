"""Declaration of the job kind ``publish_voice``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.cost import Cost
from jobs.publish_voice.params import Params, Result, check
from jobs.runner.job_kind import Example, JobKind, Output, StartTool

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord


def count_megabytes(params: Mapping[str, Any]) -> float:
    """Return the size of the voice's weights, in MB."""
    voice = Path(str(params["model"]))
    return sum(path.stat().st_size for path in (*voice.glob("*.safetensors"), *voice.glob("*/*.safetensors"))) / 1e6


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the command that speaks, or the repository."""
    result = record.result or {}
    where = f"It is at {result['address']}. " if result.get("address") else ""
    return f"{where}The files are in {result.get('folder')}; `commands` of the result speaks with them."


KIND = JobKind(
    name="publish_voice",
    params=Params,
    result=Result,
    entry="jobs.publish_voice.work:run",
    check=check,
    suggest="jobs.publish_voice.inputs:suggest_inputs",
    plan="jobs.publish_voice.dry_run:plan",
    outputs=(Output("published", result="folder", parameter="out_dir", default="{model.parent}/for-{engine}"),),
    makes={
        "out_dir": (
            *("README.md", "tts_train.json", "*.safetensors", "*.safetensors.index.json", "samples"),
            *("config.json", "generation_config.json", "preprocessor_config.json", "speech_tokenizer"),
            *("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        )
    },
    # links or copies, two hashes; an upload takes what the line takes
    cost=Cost(count_megabytes, unit="MB of weights", s_each=0.01, s_fixed=10, memory_mb=500, bytes_each=1e6),
    tool=StartTool(
        title="Publish a voice, or use it elsewhere",
        description="""\
Publish a voice with a model card: a folder that another engine speaks with, or a Hub repository.

Show the files of dry_run to its owner and get consent first. Private by default. A job; its result says how to
speak.""",
        order=97,
        next=next_step,
        open_world=True,
        examples=(
            Example("For vLLM-Omni", {"model": "anna", "engine": "vllm-omni"}),
            Example(
                "To the Hub",
                {
                    "model": "anna",
                    "repository": "anna/my-voice",
                    "consent": "My own voice; anybody may use it for reading aloud.",
                    "dry_run": True,
                },
            ),
        ),
    ),
)
