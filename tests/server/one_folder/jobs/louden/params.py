"""Parameters and result of ``louden``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobs.param_types import IngestedManifest, OutputPath, PathMark, Strict


class Params(Strict):
    """Parameters of ``louden``."""

    manifest: IngestedManifest = Field(description="Dataset: name, folder, or train_manifest.jsonl.")
    gain_db: float = Field(6.0, ge=0, le=40, description="Added to every clip.")
    out: OutputPath = Field("", description="Default: train_loud.jsonl beside it.")
    like: Annotated[str, PathMark("input", "loud")] | None = Field(None, description="A loud manifest to match.")


class Result(Strict):
    """Result of ``louden``."""

    manifest: str
    n_clips: int
