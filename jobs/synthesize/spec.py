"""Declaration of the job kind ``synthesize``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.cost import CLIP_BYTES_PER_S, Cost, spoken_seconds
from jobs.errors import UserError
from jobs.qwen.model_files import read_model_config
from jobs.runner.call_text import GAP, NEW_TEXT, call_text
from jobs.runner.job_kind import Example, JobKind, Output, ShellCommand, StartTool
from jobs.synthesize.params import Params, Result, check

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord

MAKERS = ("training", "refine_voice", "tune_hparams")
MOST_TRAININGS = 50  # searched for the one that made the voice


def next_step(record: JobRecord, runner: Runner) -> str:
    """Name the rating of the takes beside the clips that the voice was trained on."""
    result = record.result or {}
    model = record.params.get("model")
    made = (job for kind in MAKERS for job in runner.list(kind=kind, state="succeeded", limit=MOST_TRAININGS))
    manifest = next((job.params["manifest"] for job in made if (job.result or {}).get("voice") == model), GAP)
    call = {"takes": result.get("takes", ""), "narrator_manifest": manifest}
    unknown = " (the dataset of the voice)" if manifest == GAP else ""
    return f"The wavs to listen to are in {result.get('folder')}. Call {call_text('rate_samples', call)}{unknown}"


def find_way(params: Mapping[str, Any]) -> str:
    """Return the size of the model, which decides the time of a take; the name where its config is not there."""
    model = str(params["model"])
    try:
        talker = read_model_config(Path(model)).get("talker_config", {})
    except (UserError, OSError):
        return model
    return f"{talker.get('hidden_size')} x {talker.get('num_hidden_layers')}"


KIND = JobKind(
    name="synthesize",
    params=Params,
    result=Result,
    entry="jobs.synthesize.work:run",
    resource="gpu",
    check=check,
    outputs=(Output("takes", result="takes", parameter="out_dir", path="takes.jsonl"),),
    makes={"out_dir": ("takes.jsonl", "[0-9][0-9][0-9]*.wav")},
    # one run on two cores: the order of magnitude
    cost=Cost(
        partial(spoken_seconds, name="texts"),
        unit="s of speech",
        s_each=6,
        s_fixed=30,
        memory_mb=7500,  # float32 on a CPU, with caches and packed weights; less on a GPU
        bytes_each=CLIP_BYTES_PER_S,
        way=find_way,
    ),
    tool=StartTool(
        title="Speak texts with a voice",
        description="""\
Speak texts with a voice from start_training, or clone ref_audio with a base model.

Use it with sentences not trained on. GPU if there is one, seconds a sentence. A job; result: wavs,
takes.jsonl. Next: rate_samples.""",
        order=70,
        next=next_step,
        step="synthesize -> wavs and takes.jsonl.",
        examples=(
            Example("A voice by its name", {"model": "anna", "texts": [NEW_TEXT]}),
            Example(
                "A clone without training",
                {
                    "model": "Qwen/Qwen3-TTS-12Hz-0.6B-Base",
                    "ref_audio": "clip.wav",
                    "texts": [NEW_TEXT],
                },
            ),
        ),
        commands=(
            ShellCommand(
                "infer",
                flags={"--text": "texts", "--out": "out_dir"},
                lowered=("speaker",),
                about="infer --model M --text WORDS [--text WORDS …] [--speaker NAME] [--out-dir D] [--language L]",
            ),
        ),
    ),
)
