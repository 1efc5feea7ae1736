"""Declaration of the job kind ``ingest_clips``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.cost import CLIP_BYTES_PER_S, Cost, audio_seconds, count_lines, list_audio
from jobs.dataset.manifest import DATASET_NAMES, INGESTED
from jobs.dataset.next_step import next_of_ingest
from jobs.ingest_clips.params import Params, Result, check
from jobs.runner.job_kind import Example, JobKind, ShellCommand, StartTool
from jobs.runner.machine.limits import limits_of_reader


def clip_seconds(params: Mapping[str, Any]) -> float:
    """Estimate the seconds of the clips that the transcripts name; without ``audio_dir`` they lie beside these."""
    transcripts = Path(params["transcripts"])
    folder = params.get("audio_dir") or str(transcripts.parent)
    seconds = audio_seconds({"audio_dir": folder}, "audio_dir")
    n_files = len(list_audio(Path(folder)))
    if transcripts.suffix != ".jsonl" or not n_files:
        return seconds
    return seconds * min(1.0, count_lines(params, "transcripts") / n_files)  # a line names one clip


# one run on two cores: the order of magnitude
COST = Cost(clip_seconds, unit="s of clips", s_each=1 / 30, s_fixed=10, memory_mb=1200, bytes_each=CLIP_BYTES_PER_S)

KIND = JobKind(
    name="ingest_clips",
    params=Params,
    result=Result,
    entry="jobs.ingest_clips.work:run",
    check=check,
    outputs=(INGESTED,),
    makes={"out_dir": (*DATASET_NAMES, ".clips_journal.jsonl", ".imported/")},
    limits=lambda params: limits_of_reader(COST.measure(params.model_dump())),
    cost=COST,
    tool=StartTool(
        title="Ingest curated clips",
        description="""\
Make a dataset of clips that are cut and transcribed already.

In place of ingest_audiobook. CPU, minutes. A job; result: train_manifest.jsonl. Next: align.""",
        order=11,
        next=next_of_ingest,
        examples=(
            Example(
                "A folder of clips and a JSONL of their texts",
                {"audio_dir": "clips", "transcripts": "clips.jsonl", "voice": "anna"},
            ),
            Example("A dataset in the layout of LJSpeech", {"transcripts": "ljspeech/metadata.csv", "voice": "lj"}),
        ),
        commands=(
            ShellCommand(
                "ingest-transcript",
                ("audio_dir", "transcripts", "out_dir"),
                lowered=("voice",),
                about="ingest-transcript DIR JSONL OUT",
            ),
        ),
    ),
)
