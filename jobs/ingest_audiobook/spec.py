"""Declaration of the job kind ``ingest_audiobook``."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from jobs.cost import CLIP_BYTES_PER_S, Cost, audio_seconds
from jobs.dataset.manifest import DATASET_NAMES, INGESTED
from jobs.dataset.next_step import next_of_ingest
from jobs.ingest_audiobook.params import Params, Result, check, transcript_source, uses_whisper
from jobs.runner.job_kind import Example, JobKind, ShellCommand, StartTool
from jobs.runner.machine.limits import Limits, limits_of_reader


def find_way(params: Mapping[str, Any]) -> str:
    """Return the source of the words, and Whisper's model where it is heard."""
    given = Params.model_validate(params)
    source = transcript_source(given)
    return f"{source} {given.whisper_model}" if uses_whisper(given) else source


def find_idle(params: Params) -> list[str]:
    """Return Whisper's parameters where Whisper hears nothing."""
    if uses_whisper(params):
        return []
    return [name for name in Params.model_fields if name.startswith("whisper_")]


# measured by bench/dataset/ingest.py
COST = Cost(
    partial(audio_seconds, name="audio", limit="max_duration_s"),
    unit="s of recording",
    s_each=1 / 20,
    s_fixed=10,
    memory_mb=1200,
    bytes_each=CLIP_BYTES_PER_S,
    way=find_way,
    planned=lambda plan: 3600 * plan.get("hours_selected", 0.0),
    made="recording_s",
)
WHISPER_MB = 16_000  # large-v3 in float32 is 6.2 GB, and it is converted while it is loaded


def make_limits(params: Params) -> Limits:
    """Return the limits of an ingest, whose recording and text anybody may have made."""
    return limits_of_reader(COST.measure(params.model_dump()), WHISPER_MB if uses_whisper(params) else 0)


KIND = JobKind(
    name="ingest_audiobook",
    params=Params,
    result=Result,
    entry="jobs.ingest_audiobook.work:run",
    check=check,
    plan="jobs.ingest_audiobook.dry_run:plan",
    idle=find_idle,
    outputs=(INGESTED,),
    makes={"out_dir": (*DATASET_NAMES, "transcript.jsonl", "subtitles", ".ingest/", "cover.*")},
    limits=make_limits,
    cost=COST,
    tool=StartTool(
        title="Ingest an audiobook",
        description="""\
Cut an audiobook into clips with text: the first step to a voice.

The book's text is matched offline (English) or by Whisper (ten languages); without it, Whisper transcribes. CPU,
minutes to hours. A job; its result names train_manifest.jsonl and what was rejected. For clips that are cut
already: ingest_clips. Next: align.""",
        order=10,
        next=next_of_ingest,
        step="ingest_audiobook (or ingest_clips) -> train_manifest.jsonl; look at what was rejected.",
        examples=(
            Example("With the book's text", {"audio": "book.m4b", "voice": "anna", "text": "book.txt"}),
            Example("Without it: Whisper transcribes", {"audio": "book.m4b", "voice": "anna"}),
            Example("Ten minutes, as a trial", {"audio": "book.m4b", "voice": "anna", "max_duration_s": 600}),
        ),
        commands=(
            ShellCommand(
                "ingest",
                ("audio", "voice", "out_dir"),
                switches={"--no-transcript": ("transcript", "none")},
                lowered=("voice",),
                about="ingest AUDIO VOICE OUT [--text F] [--segments-jsonl F] [--no-transcript]",
            ),
        ),
    ),
)
