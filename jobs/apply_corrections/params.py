"""Parameters and result of ``apply_corrections``."""

from pathlib import Path

from pydantic import Field

from jobs.dataset.corrections.base import find_base
from jobs.dataset.corrections.record import read_corrections, record_of
from jobs.errors import UserError
from jobs.param_types import IngestedManifest, InputPath, OutputPath, Strict, Untrusted, rare


class Params(Strict):
    """Parameters of ``apply_corrections``."""

    manifest: IngestedManifest = Field(description="Dataset, as of align.")
    audio: InputPath | None = rare(
        None, description="The recording, to cut beyond a clip's borders. Default: that of the dataset's ingest."
    )
    corrections: InputPath | None = rare(None, description="The record to apply. Default: the dataset's own.")
    out_dir: OutputPath = rare("", description="The dataset's own folder, nothing else.")


class Result(Strict):
    """Result of ``apply_corrections``."""

    manifest: str = Field(description="train_manifest.jsonl, corrected, for align.")
    n_corrections: int = Field(description="Lines of corrections.jsonl.")
    n_clips: int
    n_changed: int
    n_dropped: int
    n_rescued: int = Field(description="Rejections that are clips now.")
    n_cut: int = Field(description="Files that were written.")
    problems: list[Untrusted] = Field(default_factory=list, description="Corrections that could not be applied.")


def check(params: Params) -> None:
    """Check that there is a dataset, and that its corrections can be read."""
    dataset = Path(params.manifest).parent
    if params.out_dir and Path(params.out_dir).resolve() != dataset.resolve():
        raise UserError(
            "bad_arguments",
            f"out_dir is {params.out_dir}, and corrections are applied to the dataset itself, {dataset}.",
            "Leave out_dir out; the ingest's own manifest is kept beside the corrected one.",
        )
    find_base(dataset)
    read_corrections(Path(params.corrections) if params.corrections else record_of(dataset))
