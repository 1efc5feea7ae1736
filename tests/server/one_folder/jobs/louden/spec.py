"""Declaration of the job kind ``louden``."""

from __future__ import annotations

from jobs.cost import Cost, manifest_seconds
from jobs.louden.params import Params, Result
from jobs.runner.job_kind import Example, JobKind, Output, ShellCommand, StartTool

KIND = JobKind(
    name="louden",
    params=Params,
    result=Result,
    entry="jobs.louden.work:run",
    plan="jobs.louden.dry_run:plan",
    outputs=(
        Output("loud", "manifest", parameter="out", default="{manifest.parent}/train_loud.jsonl", in_dataset=True),
    ),
    cost=Cost(manifest_seconds, unit="s of clips", s_each=1, s_fixed=2, memory_mb=50, bytes_each=100),
    tool=StartTool(
        title="Raise the volume",
        description="Make clips louder.\n\nCPU, seconds. A job; its result names train_loud.jsonl. Next: align.",
        order=16,
        next="Call align manifest={manifest}.",
        step="louden -> train_loud.jsonl.",
        examples=(Example("By twelve decibels", {"manifest": "anna", "gain_db": 12}),),
        commands=(ShellCommand("amplify", ("manifest", "gain_db"), about="amplify MANIFEST DB"),),
    ),
)
