"""Curated clips and their texts become a dataset. What goes in, what comes out."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from jobs.errors import UserError
from jobs.fields import RARE, InputPath, Language, OutputPath, Strict
from jobs.runner.kind import JobKind
from jobs.speech.manifest import Row, read_rows


class TranscriptLine(Row):
    """A line of the transcripts file."""

    audio_file: str = Field(min_length=1)
    text: str = Field(min_length=1)
    speaker: str | None = None
    language: str | None = None


class Params(Strict):
    """Parameters of ``ingest_clips``."""

    audio_dir: InputPath = Field(description="Folder that holds the clips.")
    transcripts: InputPath = Field(description="JSONL: audio_file (in audio_dir), text; speaker, language if known.")
    out_dir: OutputPath = Field("", description="Default: datasets/<voice> in the home folder.")
    voice: str = Field("speaker", pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="Speaker of clips that name none.")
    language: Language = Field("english", description="Language of clips that name none.", json_schema_extra=RARE)
    min_clip_s: float = Field(
        0.5, ge=0.1, le=10, description="Shorter clips are rejected, seconds.", json_schema_extra=RARE
    )
    max_clip_s: float = Field(
        30.0, ge=1, le=60, description="Longer clips are rejected, seconds.", json_schema_extra=RARE
    )


class Result(Strict):
    """What ``ingest_clips`` answers with."""

    dataset: str
    manifest: str = Field(description="train_manifest.jsonl, for align.")
    n_clips: int
    n_rejected: int
    kept_s: float
    rejected_by_reason: dict[str, int]


def check(params: Params) -> None:
    """Read every transcript line, so that a bad one costs nothing."""
    if not Path(params.audio_dir).is_dir():
        raise UserError("folder_missing", f"There is no folder {params.audio_dir}.", "Check audio_dir.")
    n_lines = sum(1 for _ in read_rows(Path(params.transcripts), TranscriptLine))
    if n_lines == 0:
        raise UserError("manifest_empty", f"{params.transcripts} has no lines.", "One JSON object a line is needed.")


KIND = JobKind(name="ingest_clips", params=Params, result=Result, entry="jobs.ingest_clips.work:run", check=check)
