"""Subject of a job: the voice, dataset or model that it works on, in a word for lists."""

from pathlib import Path

from jobs.dataset.names import name_of_dataset
from jobs.runner.models import JobRecord
from tools.inputs.references import VOICE_TAILS

NAMES, FILES = ("voice", "speaker"), ("manifest", "takes", "model")


def subject_of(record: JobRecord) -> str:
    """Return the name of what a job works on: ``anna``; empty where its parameters name nothing."""
    params, result = record.params, record.result or {}
    if record.placed:
        return Path(params[record.placed[0]]).name
    named = [value for name in NAMES for value in (params.get(name), result.get(name))]
    if (name := next((value for value in named if isinstance(value, str) and "/" not in value and value), "")) != "":
        return name
    path = next((params[name] for name in FILES if isinstance(params.get(name), str)), "")
    return _name_of(path)


def _name_of(path: str) -> str:
    """Return the name of the folder of a dataset or voice; a hub id as it is."""
    if not path.startswith("/"):
        return path
    place = Path(path)
    for tail in sorted(VOICE_TAILS, key=len, reverse=True):
        if path.endswith(f"/{tail}"):
            return Path(path.removesuffix(f"/{tail}")).name
    return name_of_dataset(place)
