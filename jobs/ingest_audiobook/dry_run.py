"""Dry run of an ingest: the selected part of the recording, the source of text, disk and time.

The server imports this module; reading containers needs the ml environment and is done by a child process.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.cost import CLIP_BYTES_PER_S
from jobs.ingest_audiobook.params import Params, hears_segments, transcript_source, uses_whisper
from jobs.runner.machine.input_probe import probe_input
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings

# Own measurements (November 2026, ./run.sh bench ingest --minutes 60, with --text and --whole): seconds of audio cut
# into clips per second of one core, and seconds of a core to judge one second of audio.
SPEED = {"none": 300.0, "segments": 300.0, "file": 300.0, "book": 25.0}
JUDGING_S, JUDGING_ALL_S = 0.018, 0.1
WHISPER_GB = {"tiny": 0.08, "base": 0.15, "small": 0.5, "medium": 1.5, "large-v2": 3.1, "large-v3": 3.1}
# Seconds of audio heard per second of one core, int8: base by ./run.sh bench transcript, the others by their weights.
WHISPER_TIMES = {"tiny": 30.0, "base": 16.0, "small": 5.0, "medium": 1.6, "large-v2": 0.8, "large-v3": 0.8}
INGEST_MB = 1200  # without Whisper
START_S = 10.0  # of the worker and its models
MAX_LISTED = 60


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return the length to read, the chapters, the source of text, disk space and minutes.

    Raises ``UserError``: unreadable recordings or text, a wrong selection.
    """
    found = probe_input("jobs.ingest_audiobook.probe:probe_parameters", params, settings, "The recording")
    source = transcript_source(params)
    if "unknown" in found:
        time = {"time": _time(params, found, source)} if uses_whisper(params) else {}
        return {**found, **time, **_memory(params), **_downloaded(params, settings)}
    need = found["selected_s"] * CLIP_BYTES_PER_S
    free = free_bytes(Path(params.out_dir or settings.home))
    chapters = found["chapters"]
    planned: dict[str, Any] = {
        "recordings": found["n_recordings"],
        "title": found["title"],
        "hours": round(found["book_s"] / 3600, 4),
        "hours_selected": round(found["selected_s"] / 3600, 4),
        "chapters": chapters[:MAX_LISTED],
        "text": _text(params, source, settings),
        "disk": {"need_mb": round(need / 1e6, 1), "free_gb": round(free / 1e9, 2), "fits": need <= free},
        "time": _time(params, found, source),
        **_memory(params),
        **_downloaded(params, settings),
        "notes": found["notes"],
    }
    if len(chapters) > MAX_LISTED:
        planned["chapters_not_listed"] = len(chapters) - MAX_LISTED
    return planned


def _text(params: Params, source: str, settings: Settings) -> str:
    whisper, download = f"Whisper {params.whisper_model}", _download(params.whisper_model, settings)
    return {
        "file": f"{params.transcript_file}: its sentences; only what changed is cut again in the same out_dir",
        "segments": f"{params.segments_jsonl or params.text}: its words and times"
        + (f", compared with what {whisper} hears{download}" if hears_segments(params) else ""),
        "book": f"{params.text}, matched to the speech by a small recogniser of English that needs no download; "
        f"transcript=whisper keeps more of it{_download(params.whisper_model, settings)}",
        "heard_book": f"{params.text}, matched to what {whisper} hears{download}",
        "whisper": f"{whisper}{download}",
        "none": "none: clips without text",
    }[source]


def _download(model: str, settings: Settings) -> str:
    """Return how much is downloaded for a model of Whisper; empty when it is on the disk."""
    size = WHISPER_GB.get(model)
    found = (settings.hub_cache / f"models--Systran--faster-whisper-{model}" / "snapshots").glob("*/model.bin")
    return "" if size is None or any(found) else f", to be downloaded once: {size:g} GB"


def _downloaded(params: Params, settings: Settings) -> dict[str, float]:
    needs = uses_whisper(params) and _download(params.whisper_model, settings)
    return {"download_gb": WHISPER_GB[params.whisper_model]} if needs else {}


def _memory(params: Params) -> dict[str, Any]:
    """Return the main memory of a known model of Whisper; other sources have the kind's own rule."""
    size = WHISPER_GB.get(params.whisper_model) if uses_whisper(params) else None
    return {} if size is None else {"memory": {"memory_mb": round(INGEST_MB + 1000 * size), "from": "the model's file"}}


def _time(params: Params, found: Mapping[str, Any], source: str) -> dict[str, Any]:
    judging_s = JUDGING_ALL_S if params.quality.get("dnsmos") == "all" else JUDGING_S
    if uses_whisper(params):
        times = WHISPER_TIMES.get(params.whisper_model) if "selected_s" in found else None
        if times is None or params.whisper_device == "cuda" or (params.whisper_device == "auto" and Gpus().uuids):
            return {"from": "Whisper's speed depends on model and GPU; the job reports its rate while it runs"}
        took_s = START_S + found["selected_s"] * (1 / times + judging_s) / found["n_cores"]
        measured = "base was measured on another machine, the others follow from their size"
        return {"about_min": round(took_s / 60, 1), "from": f"{times:g} x real time per core: {measured}"}
    n_workers = max(1, min(params.workers or found["n_cores"], found["n_batches"]))
    took_s = START_S + found["selected_s"] * (1 / SPEED[source] / n_workers + judging_s / found["n_cores"])
    return {
        "about_min": round(took_s / 60, 1),
        "processes": n_workers,
        "from": f"{SPEED[source]:g} x real time per core, then {judging_s:g} s of a core per second of audio to judge "
        "the clips, as measured on another machine",
    }
