"""Dry run of a publication: files and sizes, where they would go, and what the card would say."""

from pathlib import Path
from typing import Any

from jobs.publish_dataset.contents import METADATA, README, SPLITS, list_clips
from jobs.publish_dataset.dataset_card import count_hours, write_card
from jobs.publish_dataset.params import Params
from jobs.settings import Settings


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return what would be published.

    Raises:
        UserError: as ``list_clips``; ``publication_unclean``.
    """
    clips = list_clips(Path(params.manifest), settings)
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
