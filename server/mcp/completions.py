"""Completions of arguments while they are typed: job ids, artifact names, tools, base models."""

from collections.abc import Mapping

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from tools.core.registry import all_tools

MOST_JOBS = 100
BASE_MODELS = ("Qwen/Qwen3-TTS-12Hz-0.6B-Base", "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "toy")
# Names of arguments of resource templates and prompts; a name has the same values everywhere.
JOB_ID, ARTIFACT_NAME, TOOL, BASE_MODEL = "job_id", "name", "tool", "base_model"


def completions(place: str, argument: str, typed: str, given: Mapping[str, str], runner: Runner) -> list[str]:
    """Return values of an argument that begin with the typed text, newest or likeliest first.

    ``place`` is the URI template of a resource or the name of a prompt; ``given`` has the other arguments.
    """
    if argument == JOB_ID:
        values = [record.job_id for record in runner.list(limit=MOST_JOBS)]
    elif argument == ARTIFACT_NAME and place.startswith("artifact://"):
        values = _artifact_names(given.get(JOB_ID, ""), runner)
    elif argument == TOOL:
        values = list(all_tools())
    elif argument == BASE_MODEL:
        values = list(BASE_MODELS)
    else:
        values = []
    return [value for value in values if value.startswith(typed)]


def _artifact_names(job_id: str, runner: Runner) -> list[str]:
    try:
        return [artifact.name for artifact in runner.artifacts(job_id)]
    except UserError:  # no such job
        return []
