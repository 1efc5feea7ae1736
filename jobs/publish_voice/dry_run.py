"""Dry run of a publication: every file with its size, where it would go, and what the model card would say."""

from pathlib import Path
from typing import Any

from jobs.publish_voice.contents import README, list_files
from jobs.publish_voice.model_card import write_card
from jobs.publish_voice.params import Params, find_consent
from jobs.settings import Settings

MOST_LISTED = 60


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return what would be published.

    Raises:
        UserError: as ``list_files``; ``publication_unclean``.
    """
    files = list_files(params)
    sizes = {README: len(write_card(params, files).encode()), **{file.name: file.size_bytes for file in files}}
    planned: dict[str, Any] = {
        "files": [{"file": name, "mb": round(size / 1e6, 3)} for name, size in list(sizes.items())[:MOST_LISTED]],
        "total_mb": round(sum(sizes.values()) / 1e6, 1),
        "samples": Path(params.takes).name if params.takes else "none: synthesize some and give takes",
        "ratings": Path(params.ratings).name if params.ratings else "none: rate_samples makes them",
        "consent": find_consent(params) or "not stated",
        "license": params.license or "not stated",
    }
    if params.repository is not None:
        kept = "a new one is private" if params.private else "a new one is PUBLIC"
        planned |= {"repository": params.repository, "visibility": kept}
    return planned
