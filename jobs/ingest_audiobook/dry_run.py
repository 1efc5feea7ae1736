"""What an ingest would read and take, for a dry run. Light: a child process in the ml environment reads containers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.errors import UserError
from jobs.ingest_audiobook.params import Params, transcript_source
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import PROJECT_ROOT, Settings

TIMEOUT_S = 60.0
CLIP_BYTES_PER_HOUR = 3600 * SAMPLE_RATE_HZ * 2
# Own measurements (November 2026, ./run.sh bench ingest --minutes 60, with --text and --whole): seconds of audio per
# second of one core up to the clips, and what judging them takes of a core for each second of audio.
SPEED = {"none": 300.0, "segments": 300.0, "book": 25.0}
JUDGING_S, JUDGING_ALL_S = 0.018, 0.1
MAX_LISTED = 60


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """What of the recording would be read, its chapters, where the text comes from, disk and minutes."""
    told = _survey(params, settings)
    if "unknown" in told:
        return told
    hours = told["selected_s"] / 3600
    source = transcript_source(params)
    need = hours * CLIP_BYTES_PER_HOUR
    free = free_bytes(Path(params.out_dir or settings.home))
    chapters = told.pop("chapters")
    planned: dict[str, Any] = {
        "recordings": told["n_recordings"],
        "title": told["title"],
        "hours": round(told["book_s"] / 3600, 3),
        "hours_selected": round(hours, 3),
        "chapters": chapters[:MAX_LISTED],
        "text": _text(params, source),
        "disk": {"need_gb": round(need / 1e9, 2), "free_gb": round(free / 1e9, 2), "fits": need <= free},
        "time": _time(params, told, source),
        "notes": told["notes"],
    }
    if len(chapters) > MAX_LISTED:
        planned["chapters_not_listed"] = len(chapters) - MAX_LISTED
    return planned


def _text(params: Params, source: str) -> str:
    return {
        "segments": f"{params.segments_jsonl or params.text}: its words and times",
        "book": f"{params.text}, matched to the speech (English)",
        "whisper": f"Whisper {params.whisper_model}",
        "none": "none: clips without text",
    }[source]


def _time(params: Params, told: Mapping[str, Any], source: str) -> dict[str, Any]:
    if source not in SPEED:
        return {"from": "Whisper's speed depends on the model and the device; the job tells its rate while it runs"}
    n_workers = max(1, min(params.workers or told["n_cores"], told["n_lanes"]))
    judging_s = JUDGING_ALL_S if params.quality.get("dnsmos") == "all" else JUDGING_S
    took_s = told["selected_s"] * (1 / SPEED[source] / n_workers + judging_s / told["n_cores"])
    return {
        "about_minutes": round(took_s / 60, 1),
        "processes": n_workers,
        "from": f"{SPEED[source]:g} x real time a core, then {judging_s:g} s of a core for each second to judge the "
        "clips, as measured on another machine",
    }


def _survey(params: Params, settings: Settings) -> dict[str, Any]:
    """What the containers say, or ``unknown``: why that could not be learnt.

    Raises:
        UserError: what is wrong with the recordings, the selection or the text.
    """
    try:
        done = subprocess.run(
            [str(settings.python("ml")), "-m", "jobs.ingest_audiobook.probe"],
            input=params.model_dump_json(),
            capture_output=True,
            text=True,
            env=settings.to_environment(),
            cwd=PROJECT_ROOT,
            timeout=TIMEOUT_S,
            check=False,
        )
        told: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"unknown": f"What the recording holds: reading it failed ({error}). The ml environment may be broken."}
    if "code" in told:
        raise UserError(told["code"], told["message"], told["hint"])
    return told
