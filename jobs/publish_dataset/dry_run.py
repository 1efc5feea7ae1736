"""Dry run of a publication: files and sizes, where they would go, and what the card would say.

The dataset may be a stranger's, so a child process reads it.
"""

from pathlib import Path
from typing import Any

from jobs.publish_dataset.contents import METADATA, README, SPLITS, find_folder, list_clips, refuse_inside
from jobs.publish_dataset.dataset_card import count_hours, write_card
from jobs.publish_dataset.params import Params
from jobs.runner.machine.input_probe import probe_input
from jobs.settings import Settings


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return what would be published.

    Raises:
        UserError: as ``list_clips``; ``publication_unclean``, ``output_is_input``.
    """
    return probe_input("jobs.publish_dataset.dry_run:describe_parameters", params, settings, "The dataset")


def describe_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """Describe what the parameters name; the entry of the child process. Raises as ``describe`` does."""
    return describe(Params.model_validate(document), Settings.from_environment())


def describe(params: Params, settings: Settings) -> dict[str, Any]:
    """Return what would be published. Raises as ``plan`` does."""
    manifest = Path(params.manifest)
    clips = list_clips(manifest, settings)
    refuse_inside(clips, find_folder(params))
    write_card(params, clips)
    splits = {split: [one for one in clips if one.clip.split == split] for split in SPLITS}
    planned: dict[str, Any] = {
        "files": [README, *(f"{split}/{METADATA}" for split, chosen in splits.items() if chosen)]
        + [f"{split}/…: {len(chosen)} WAV files" for split, chosen in splits.items() if chosen],
        "total_mb": round(sum(one.source.stat().st_size for one in clips if one.source.is_file()) / 1e6, 1),
        "hours": round(count_hours(one.clip for one in clips), 2),
        "languages": sorted({one.clip.language for one in clips}),
        "speakers": sorted({one.clip.speaker for one in clips})[:20],
        "consent": params.consent.strip() or "not stated",
        "license": params.license or "not stated",
    }
    if params.repository is not None:
        kept = "a new one is private" if params.private else "a new one is PUBLIC"
        planned |= {"repository": params.repository, "visibility": kept}
    return planned
