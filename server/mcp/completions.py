"""What a client offers while a person types: job ids, artifact names, base models. Knows nothing of the wire."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from tools.core.registry import all_tools

MOST_JOBS = 100
BASE_MODELS = ("Qwen/Qwen3-TTS-12Hz-0.6B-Base", "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "toy")
# A template's gap or a prompt's argument -> where its values come from, so that every door means the same by a name.
OF_A_JOB, OF_AN_ARTIFACT, OF_A_TOOL, OF_A_MODEL = "job_id", "name", "tool", "base_model"


def completions(place: str, argument: str, typed: str, given: Mapping[str, str], runner: Runner) -> list[str]:
    """Values for an argument that begin with what was typed, newest or likeliest first.

    Args:
        place: address template or name of the prompt.
        argument: the gap to fill.
        typed: what is there already.
        given: the other gaps that are filled, e.g. ``job_id`` when an artifact's name is typed.
        runner: knows jobs and artifacts.
    """
    if argument == OF_A_JOB:
        offered = [record.job_id for record in runner.list(limit=MOST_JOBS)]
    elif argument == OF_AN_ARTIFACT and place.startswith("artifact://"):
        offered = _artifact_names(given.get(OF_A_JOB, ""), runner)
    elif argument == OF_A_TOOL:
        offered = list(all_tools())
    elif argument == OF_A_MODEL:
        offered = list(BASE_MODELS)
    else:
        offered = []
    return [value for value in offered if value.startswith(typed)]


def _artifact_names(job_id: str, runner: Runner) -> list[str]:
    try:
        return [artifact.name for artifact in runner.artifacts(job_id)]
    except UserError:  # no such job, so nothing to offer
        return []
