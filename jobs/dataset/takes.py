"""``takes.jsonl``: synthesised examples, one a line, beside their wavs.

``synthesize`` writes it; rating, search and the listening page read it. Imports pydantic and the standard library only.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ConfigDict, Field

from jobs.dataset.manifest import (
    ClipSeconds,
    FileName,
    LanguageName,
    Name,
    Row,
    Text,
    file_inside,
    limit_rows,
    read_rows,
)
from jobs.errors import UserError
from jobs.param_types import AUTO

TAKES_NAME = "takes.jsonl"
MOST_TAKES = 20_000  # the server holds them all; a search makes some hundreds


class Take(Row):
    """A line of ``takes.jsonl``: one synthesised example and the request it answers. Only ``audio`` is required.

    Other fields are dropped: the server holds all takes of a file at once.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    audio: FileName
    text: Text = Field("", description="Empty: unknown.")
    speaker: Name | None = None
    instruct: Text | None = None
    language: LanguageName = AUTO
    duration_s: ClipSeconds = Field(0.0, description="0: unknown.")
    hit_limit: bool = Field(False, description="No end of speech before max_seconds.")
    max_seconds: float = Field(0.0, description="Limit of its length; 0: unknown.")
    seed: int = 0
    take: int = Field(1, description="Number of the take among those of its text, from 1.")
    model: FileName = ""
    compute_s: float = 0.0
    request: Name = Field("", description="Hash of all inputs of the audio; a take with an equal one is reused.")


def find_takes_file(path: Path) -> Path:
    """Return the ``takes.jsonl`` of a folder; any other path is returned as it is.

    Raises ``UserError``: ``path_outside_dataset``: it is a link out of the folder.
    """
    return file_inside(path, TAKES_NAME) if path.is_dir() else path


def check_takes_file(path: Path) -> Path:
    """Return the ``takes.jsonl`` of a folder, or the path itself. Raises ``UserError``: ``takes_missing``."""
    file = find_takes_file(path)
    if not file.is_file():
        raise UserError(
            "takes_missing", f"There is no {file}.", "Make takes with synthesize; give its job_id or folder."
        )
    return file


def read_takes(path: Path) -> list[Take]:
    """Read all takes of a ``takes.jsonl`` or of its folder.

    Raises ``UserError``: ``takes_missing``, ``manifest_unreadable``, ``file_too_large``: more than ``MOST_TAKES``.
    """
    return list(limit_rows(read_rows(check_takes_file(path), Take), path, MOST_TAKES))


def stop_rate(takes: Sequence[Take]) -> float:
    """Compute the share of takes that ended by themselves."""
    return 1 - sum(take.hit_limit for take in takes) / len(takes)
