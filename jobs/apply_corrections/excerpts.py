"""Parts of a recording to be heard before they are clips: cut by a child process in the ml environment."""

import base64
from pathlib import Path

from jobs.apply_corrections.inputs import recording_of
from jobs.dataset.corrections.base import find_recording
from jobs.dataset.manifest import Source
from jobs.errors import UserError
from jobs.runner.machine.bounded_child import run_bounded
from jobs.settings import PROJECT_ROOT, Settings

LONGEST_S = 120.0
MARGIN_S = 1.0
"""Heard before and after a clip, so that its borders can be moved outwards."""
MEMORY_BYTES = 2_000_000_000
TIMEOUT_S = 60  # an MP3 is decoded from its beginning


def has_excerpts(dataset: Path, recording: str, settings: Settings) -> bool:
    """Return whether the recording of a clip is there."""
    audio = recording_of(dataset, settings)
    return audio is not None and find_recording(Path(audio), recording) is not None


def with_margin(source: Source) -> Source:
    """Return a clip's place with its margins."""
    return source.model_copy(
        update={
            "start_s": max(0.0, source.start_s - MARGIN_S),
            "end_s": min(source.end_s, source.start_s + LONGEST_S) + MARGIN_S,
        }
    )


def read_excerpt(dataset: Path, source: Source, settings: Settings) -> bytes:
    """Return a clip's place with its margins as WAV.

    Raises ``UserError``: ``audio_missing``, ``environment_missing``, ``file_too_large``, those of the recording.
    """
    audio = recording_of(dataset, settings)
    path = find_recording(Path(audio), source.recording) if audio is not None else None
    if path is None:
        raise UserError("audio_missing", f"The recording {source.recording!r} is not there any more.", "Put it back.")
    python = settings.python("ml")
    if not python.exists():
        raise UserError("environment_missing", f"Recordings are read by {python}.", "Call setup, then this again.")
    place = with_margin(source)
    try:
        found = run_bounded(
            python,
            "jobs.dataset.corrections.cutting:cut_excerpt",
            {"path": str(path), "start_s": place.start_s, "end_s": place.end_s},
            memory_bytes=MEMORY_BYTES,
            cpu_s=TIMEOUT_S,
            timeout_s=TIMEOUT_S,
            environment=settings.to_environment(),
            folder=PROJECT_ROOT,
        )
    except (OSError, ValueError) as error:
        raise UserError("audio_unreadable", f"{path} could not be read: {error}.", "Check the file.") from error
    return base64.b64decode(str(found))
