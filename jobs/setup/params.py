"""Parameters and result of ``setup``."""

from typing import Literal

from pydantic import Field

from jobs.param_types import Strict, rare


class Params(Strict):
    """Parameters of ``setup``."""

    environment: Literal["ml"] = rare("ml", description="ml: torch, Whisper and the rest, for every other job.")


class Result(Strict):
    """Result of ``setup``."""

    environment: str
    folder: str
    was_ready: bool = Field(description="Nothing had to be installed.")
    disk_mb: int
    build: Literal["cuda", "cpu"] = Field(description="Of torch: with CUDA, or the smaller one for a CPU.")
