"""Declaration of the job kind ``rate_samples``. Its tool, ``tools.rate_samples``, also takes human scores."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.cost import Cost, count_lines
from jobs.dataset.takes import find_takes_file
from jobs.rate_samples.params import Params, Result, check
from jobs.runner.call_text import GAP, call_text
from jobs.runner.job_kind import Example, JobKind, StartTool

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the verdict, and the call that stores what a person hears."""
    call = call_text("rate_samples", {"takes": record.params["takes"], "scores": GAP})
    page = (record.result or {}).get("report", "the report")
    return (
        f"Read the verdict; a person should listen to the takes in {page}, because the reasons only say what was "
        f"measured. Their scores: {call}."
    )


KIND = JobKind(
    name="rate_samples",
    params=Params,
    result=Result,
    entry="jobs.rate_samples.work:run",
    check=check,
    writes=lambda params: () if params.out else (find_takes_file(Path(params.takes)).parent,),
    # one run on two cores: the order of magnitude
    cost=Cost(
        partial(count_lines, name="takes", file="takes.jsonl"),
        unit="takes",
        s_each=5,
        s_fixed=15,
        memory_mb=1000,
        bytes_each=4000,
    ),
    suggest="jobs.rate_samples.params:suggest",
    makes={
        "out": ("{stem}.png", "evaluation.json", "rating_measures.jsonl", "report.html", "anchors/", "spectrograms/")
    },
    tool=StartTool(
        title="Rate synthesised takes",
        description="""\
Rate takes of synthesize from 1 to 5.

With narrator_manifest: a job (CPU, seconds a take) that compares them with the narrator's clips and gives reasons.
With a person's scores: stored at once. With neither: asks for scores. Use it after synthesize. Next: get_job, then
human ratings.""",
        order=80,
        next=next_step,
        step="rate_samples -> 1 to 5 with reasons; let a person listen too.",
        idempotent=False,  # a person's scores are added, never replaced: two calls are two listenings
        examples=(
            Example("Beside the narrator's clips", {"takes": "takes/anna", "narrator_manifest": "anna"}),
            Example("A person's score", {"takes": "takes/anna", "scores": [{"audio": "take_00.wav", "score": 4}]}),
        ),
    ),
)
