"""Dry run of a narration: chapters, hours of speech and disk.

The server imports this module; reading books needs the ml environment and is done by a child process.
"""

from pathlib import Path
from typing import Any

from jobs.cost import CLIP_BYTES_PER_S
from jobs.narrate.params import Params
from jobs.runner.machine.input_probe import probe_input
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings

MAX_LISTED = 60
MP3_BYTES_PER_S, FLAC_SHARE = 24_000, 0.6


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return the chapters that would be read, those that would not, hours and disk space.

    Raises:
        UserError: those of the probe, ``file_too_large``.
    """
    found = probe_input("jobs.narrate.probe:probe_parameters", params, settings, "The book")
    if "unknown" in found:
        return found
    length_s = found["speech_s"] + found["pauses_s"]
    # every take of a passage is kept until all are decided
    takes = found["speech_s"] * CLIP_BYTES_PER_S * (2 if params.respeak else 1)
    per_chapter = {"mp3": MP3_BYTES_PER_S, "flac": FLAC_SHARE * CLIP_BYTES_PER_S, "none": 0.0}[params.chapter_audio]
    need = takes + length_s * (params.bitrate_kbps * 125 + per_chapter)
    free = free_bytes(Path(params.out_dir or settings.home))
    planned: dict[str, Any] = {
        "title": found["title"],
        "author": found["author"],
        "cover": found["has_cover"],
        "hours": round(length_s / 3600, 2),
        "passages": found["n_passages"],
        "chapters": found["chapters"][:MAX_LISTED],
        "not_read": found["skipped"][:MAX_LISTED],
        "disk": {"need_mb": round(need / 1e6, 1), "free_gb": round(free / 1e9, 2), "fits": need <= free},
        "notes": found["notes"],
    }
    if len(found["chapters"]) > MAX_LISTED:
        planned["chapters_not_listed"] = len(found["chapters"]) - MAX_LISTED
    return planned
