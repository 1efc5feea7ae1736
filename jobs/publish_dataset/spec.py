"""Declaration of the job kind ``publish_dataset``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.cost import Cost, manifest_seconds
from jobs.publish_dataset.params import Params, Result, check
from jobs.runner.job_kind import Example, JobKind, Output, StartTool

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the repository and the folder."""
    result = record.result or {}
    where = f"It is at {result['address']}. " if result.get("address") else ""
    return f"{where}The files are in {result.get('folder')}; its README.md says how to load them."


KIND = JobKind(
    name="publish_dataset",
    params=Params,
    result=Result,
    entry="jobs.publish_dataset.work:run",
    check=check,
    plan="jobs.publish_dataset.dry_run:plan",
    outputs=(Output("published", result="folder", parameter="out_dir", default="{manifest.parent}/published"),),
    makes={"out_dir": ("README.md", "train", "validation")},
    # reads, hashes and copies each clip; an upload takes what the line takes
    cost=Cost(
        manifest_seconds, unit="s of clips", s_each=1 / 400, s_fixed=5, memory_mb=500, bytes_each=2 * SAMPLE_RATE_HZ
    ),
    tool=StartTool(
        title="Publish a dataset",
        description="""\
Publish a dataset with a card, in a folder or on the Hub.

As publish_voice does: consent first.""",
        order=98,
        next=next_step,
        open_world=True,
        examples=(
            Example(
                "What would be published",
                {
                    "manifest": "anna",
                    "repository": "anna/my-speech",
                    "consent": "My own voice; anybody may train with it.",
                    "dry_run": True,
                },
            ),
        ),
    ),
)
