"""Parameters and result of ``publish_dataset``."""

from pathlib import Path

from pydantic import Field

from jobs.dataset.manifest import check_step
from jobs.errors import UserError
from jobs.param_types import IngestedManifest, OutputPath, Strict, rare
from jobs.publishing.options import LICENSE, LONGEST_CONSENT, REPOSITORY


class Params(Strict):
    """Parameters of ``publish_dataset``."""

    manifest: IngestedManifest = Field(description="")
    repository: str | None = Field(None, pattern=REPOSITORY, description="")
    consent: str = Field("", max_length=LONGEST_CONSENT, description="")
    out_dir: OutputPath = rare("", description="Default: published in the dataset's folder.")
    private: bool = rare(True, description="Of a new repository.")
    license: str | None = rare(None, pattern=LICENSE, description="SPDX identifier of the dataset's licence.")


class Result(Strict):
    """Result of ``publish_dataset``."""

    folder: str
    n_clips: int
    hours: float
    n_files: int
    megabytes: float
    address: str | None = Field(None, description="Of the repository.")
    commit: str | None = None


def check(params: Params) -> None:
    """Check the manifest, and that consent is stated before anything goes to the Hub.

    Raises:
        UserError: ``consent_missing``, those of the manifest.
    """
    check_step(Path(params.manifest), "ingested")
    if params.repository is not None and not params.consent.strip():
        raise UserError(
            "consent_missing",
            "Whose voice the dataset holds, and what that person agreed to, is not stated.",
            "Say in consent who agreed to what, in their words. Never guess it.",
        )
