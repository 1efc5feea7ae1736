"""Dry run of ``convert_codes``: clips, tokenizer, time and disk, without loading a model."""

import os
from pathlib import Path
from typing import Any

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.convert_codes.params import Params
from jobs.dataset.manifest import Extent, read_extent, summarise_extent
from jobs.runner.machine.nvidia_smi import ask_nvidia_smi
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings

# Own measurement (2026-11-25), frames per second of one core: the toy codec, and random weights of the released size.
TOY_FRAMES_PER_CPU_S, REAL_FRAMES_PER_CPU_S = 800.0, 90.0
BYTES_PER_S = 2 * 1_100  # of audio: 16 numbers a frame as text, in the journal and in the manifest
DOWNLOAD_GB = 0.68


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Count the clips and estimate time, disk and download of encoding them."""
    manifest, tokenizer = Path(params.manifest), params.tokenizer
    extent = read_extent(manifest)
    seconds = extent.seconds * (1 + len(set(params.augment)))  # at most: held-out clips have no copies
    need, free = seconds * BYTES_PER_S, min(free_bytes(manifest.parent), free_bytes(settings.home))
    return {
        "data": {**summarise_extent(extent), "frames": round(extent.seconds * FRAMES_PER_SECOND)},
        "ref_audio": _references(params, extent),
        **plan_ahead(params, settings),
        "disk": {"need_mb": round(need / 1e6, 1), "free_gb": round(free / 1e9, 1), "fits": need <= free},
        "time": _time(seconds, tokenizer),
    }


def plan_ahead(params: Params, settings: Settings, speech_s: float | None = None) -> dict[str, Any]:
    """Name the tokenizer and its download, which do not depend on the clips."""
    tokenizer = params.tokenizer
    is_hub = tokenizer != "toy" and not Path(tokenizer).is_absolute()
    if not is_hub or (settings.hub_cache / f"models--{tokenizer.replace('/', '--')}" / "snapshots").is_dir():
        return {"tokenizer": tokenizer}
    return {"tokenizer": f"{tokenizer}, {DOWNLOAD_GB} GB to be downloaded", "download_gb": DOWNLOAD_GB}


def _references(params: Params, extent: Extent) -> str:
    if params.ref_audio is None:
        return f"kept in {extent.n_with_reference} of {extent.n_clips} lines; others take one of their speaker"
    return f"{params.ref_audio} in all lines, in place of what {extent.n_with_reference} of them name"


def _time(seconds: float, tokenizer: str) -> dict[str, Any]:
    if ask_nvidia_smi(["--query-gpu=name", "--format=csv,noheader"]):
        return {"from": "no measurement of this GPU; the job reports its rate while it runs"}
    n_cores = 1 if tokenizer == "toy" else len(os.sched_getaffinity(0))
    rate = TOY_FRAMES_PER_CPU_S if tokenizer == "toy" else REAL_FRAMES_PER_CPU_S * n_cores
    minutes = seconds * FRAMES_PER_SECOND / rate / 60
    return {"about_min": round(minutes, 1), "from": f"measured on a CPU, for {n_cores} of its cores"}
