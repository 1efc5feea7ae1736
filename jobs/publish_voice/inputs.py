"""Inputs that a call leaves open: the newest takes of the voice, and their ratings."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from jobs.publish_voice.params import Params
from jobs.runner.client.runner import Runner
from jobs.settings import Settings

MOST_EARLIER = 200


def suggest_inputs(params: Params, given: Collection[str], settings: Settings) -> dict[str, Any]:
    """Return takes and ratings of earlier jobs, as far as they are there."""
    takes = params.takes if "takes" in given else _newest(settings, "synthesize", "model", params.model, "takes")
    found = {"takes": takes} if takes and "takes" not in given else {}
    if takes and "ratings" not in given:
        ratings = _newest(settings, "rate_samples", "takes", takes, "ratings")
        found |= {"ratings": ratings} if ratings else {}
    return found


def _newest(settings: Settings, kind: str, parameter: str, value: str, field: str) -> str | None:
    """Return a file that the newest job of a kind made with a parameter."""
    if not settings.home.exists():
        return None
    for job in Runner(settings).list(kind=kind, state="succeeded", limit=MOST_EARLIER):
        made = (job.result or {}).get(field)
        if job.params.get(parameter) == value and isinstance(made, str) and Path(made).is_file():
            return made
    return None
