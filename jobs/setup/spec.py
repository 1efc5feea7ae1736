"""Declaration of the job kind ``setup``."""

from collections.abc import Iterator
from pathlib import Path

from jobs.cost import Cost
from jobs.environments.environment_state import environment_cost_mb
from jobs.installation import CODE
from jobs.runner.job_kind import Example, JobKind, StartTool
from jobs.settings import Settings
from jobs.setup.params import Params, Result
from jobs.setup.readiness import find_build, is_ready


def find_written(params: Params) -> Iterator[Path]:
    """Iterate over the folders that an installation writes."""
    settings = Settings.from_environment()
    yield from (settings.envs, settings.uv_cache, CODE / ".tools")  # the last in a checkout, for uv itself


def is_still_done(params: Params, settings: Settings) -> bool:
    """Return whether the environment is there, of this lock and with the build of torch that fits the machine."""
    return is_ready(settings, params.environment, find_build(settings, params.environment))


KIND = JobKind(
    name="setup",
    params=Params,
    result=Result,
    entry="jobs.setup.work:run",
    environment="server",
    plan="jobs.setup.work:plan",
    writes=find_written,
    is_still_done=is_still_done,
    cost=Cost(
        lambda params: environment_cost_mb(params["environment"])[1],
        unit="MB of packages",
        s_each=0.05,
        s_fixed=10,
        memory_mb=1000,
        bytes_each=1e6,
        planned=lambda plan: plan.get("disk_mb", 0),
    ),
    tool=StartTool(
        title="Install what jobs run with",
        description="""\
Install what jobs need: torch, Whisper, Qwen's code. Once.

Use it when a tool answers environment_missing. 4.7 GB to download, 8.8 GB of disk, minutes. A job; the same call
goes on. Weights come with the jobs that use them. Next: the tool that asked for it.""",
        order=5,
        next="Call again the tool that answered environment_missing.",
        step="setup, once.",
        examples=(Example("Size and time first", {"dry_run": True}),),
    ),
)
