"""Dry run of an ingest: the selected part of the recording, the source of text, disk and time.

The server imports this module; reading containers needs the ml environment and is done by a child process.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.cost import CLIP_BYTES_PER_S
from jobs.errors import UserError
from jobs.ingest_audiobook.params import Params, transcript_source
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import PROJECT_ROOT, Settings

TIMEOUT_S = 60.0
# Own measurements (November 2026, ./run.sh bench ingest --minutes 60, with --text and --whole): seconds of audio cut
# into clips per second of one core, and seconds of a core to judge one second of audio.
SPEED = {"none": 300.0, "segments": 300.0, "book": 25.0}
JUDGING_S, JUDGING_ALL_S = 0.018, 0.1
MAX_LISTED = 60


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return the length to read, the chapters, the source of text, disk space and minutes.

    Raises ``UserError``: unreadable recordings or text, a wrong selection.
    """
    found = _probe(params, settings)
    if "unknown" in found:
        return found
    source = transcript_source(params)
    need = found["selected_s"] * CLIP_BYTES_PER_S
    free = free_bytes(Path(params.out_dir or settings.home))
    chapters = found["chapters"]
    planned: dict[str, Any] = {
        "recordings": found["n_recordings"],
        "title": found["title"],
        "hours": round(found["book_s"] / 3600, 3),
        "hours_selected": round(found["selected_s"] / 3600, 3),
        "chapters": chapters[:MAX_LISTED],
        "text": _text(params, source),
        "disk": {"need_gb": round(need / 1e9, 2), "free_gb": round(free / 1e9, 2), "fits": need <= free},
        "time": _time(params, found, source),
        "notes": found["notes"],
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


def _time(params: Params, found: Mapping[str, Any], source: str) -> dict[str, Any]:
    if source not in SPEED:
        return {"from": "Whisper's speed depends on the model and the device; the job reports its rate while it runs"}
    n_workers = max(1, min(params.workers or found["n_cores"], found["n_batches"]))
    judging_s = JUDGING_ALL_S if params.quality.get("dnsmos") == "all" else JUDGING_S
    took_s = found["selected_s"] * (1 / SPEED[source] / n_workers + judging_s / found["n_cores"])
    return {
        "about_minutes": round(took_s / 60, 1),
        "processes": n_workers,
        "from": f"{SPEED[source]:g} x real time per core, then {judging_s:g} s of a core per second of audio to judge "
        "the clips, as measured on another machine",
    }


def _probe(params: Params, settings: Settings) -> dict[str, Any]:
    """Return the findings of ``jobs.ingest_audiobook.probe``, or ``unknown``: why there are none."""
    try:
        done = subprocess.run(
            [str(settings.python("ml")), "-m", "jobs.runner.machine.sandbox", "jobs.ingest_audiobook.probe"],
            input=params.model_dump_json(),
            capture_output=True,
            text=True,
            env=settings.to_environment(),
            cwd=PROJECT_ROOT,
            timeout=TIMEOUT_S,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"unknown": f"The recording could not be read: {error}. The ml environment may be broken."}
    if "code" in found:
        raise UserError(found["code"], found["message"], found["hint"])
    return found
