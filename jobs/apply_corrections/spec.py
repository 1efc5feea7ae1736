"""Declaration of the job kind ``apply_corrections``."""

from jobs.apply_corrections.params import Params, Result, check
from jobs.cost import Cost, manifest_seconds
from jobs.dataset.corrections.base import MANIFEST, REJECTIONS
from jobs.dataset.manifest import BEFORE_CORRECTIONS, CORRECTED_CLIPS
from jobs.runner.job_kind import Example, JobKind, Output, StartTool
from jobs.runner.machine.limits import limits_of_reader

# reading and writing of the manifest; a cut takes a hundredth of a second
COST = Cost(manifest_seconds, unit="s of clips", s_each=1 / 1000, s_fixed=5, memory_mb=500, bytes_each=10)

KIND = JobKind(
    name="apply_corrections",
    params=Params,
    result=Result,
    entry="jobs.apply_corrections.work:run",
    check=check,
    suggest="jobs.apply_corrections.inputs:suggest_inputs",
    outputs=(Output("ingested", result="manifest", parameter="out_dir", path=MANIFEST, default="{manifest.parent}"),),
    makes={"out_dir": (MANIFEST, REJECTIONS, f"{CORRECTED_CLIPS}/", f"{BEFORE_CORRECTIONS}/")},
    limits=lambda params: limits_of_reader(COST.measure(params.model_dump()), 0),
    cost=COST,
    tool=StartTool(
        title="Correct clips of a dataset",
        description="""\
Correct clips (text, borders, drop, keep a rejected one, reference); all corrections are applied to the dataset.

Only what changed is cut, aligned and encoded again, by jobs in a row. People use ./run.sh web. Next: get_job.""",
        order=15,
        next="Call align manifest={manifest}, unless it was started with this.",
        examples=(
            Example(
                "A wrong word",
                {
                    "manifest": "anna",
                    "changes": [{"clip": "clips/000012.wav", "parts": [{"text": "The right words."}]}],
                },
            ),
            Example(
                "Leave a clip out", {"manifest": "anna", "changes": [{"clip": "clips/000013.wav", "action": "drop"}]}
            ),
        ),
    ),
)
