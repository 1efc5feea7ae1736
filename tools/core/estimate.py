"""What a job will take, for a dry run: time, memory, disk. Light: nothing is decoded.

Time is scaled from jobs of the same kind that have succeeded here; where there is none, a rule of thumb stands in, and
the answer says which it was. Kinds that know better (``JobKind.plan``) tell it themselves.
"""

from __future__ import annotations

import json
import statistics
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.runner.client.runner import Runner
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings

MOST_EARLIER = 20
COMPRESSED_BYTES_PER_S = 8_000  # audiobooks are sold at 64 kbit/s; a better recording makes the estimate too long
CHARACTERS_PER_S = 15  # of read speech
CLIP_BYTES_PER_S = 48_000  # 24 kHz, 16 bit, mono
UNKNOWN_CLIP_S = 5.0  # of a manifest's line that has no duration
Params = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """How one kind's needs grow with its input.

    Attributes:
        amount: of input, from the parameters.
        unit: of the amount.
        s_each: seconds a unit on one core, by rule of thumb.
        s_fixed: seconds to load what is needed.
        memory_mb: main memory at its most, about.
        bytes_each: written a unit.
    """

    amount: Callable[[Params], float]
    unit: str
    s_each: float
    s_fixed: float
    memory_mb: int
    bytes_each: float


def estimate(kind: str, params: Params, runner: Runner, settings: Settings) -> dict[str, Any]:
    """Time, memory and disk of a job; empty for a kind that no rule is known of, or when its input is not there yet."""
    rule = RULES.get(kind)
    amount = _amount(rule, params) if rule is not None else 0.0
    if rule is None or not amount:
        return {}
    each, n_earlier = _measured(kind, rule, runner) if settings.home.exists() else (0.0, 0)
    seconds = amount * each if n_earlier else rule.s_fixed + amount * rule.s_each
    disk_mb, free_mb = amount * rule.bytes_each / 1e6, free_bytes(settings.home) / 1e6
    return {
        "input": f"{amount:.0f} {rule.unit}",
        "time_s": round(seconds),
        "time_from": f"{n_earlier} earlier here" if n_earlier else "rule of thumb for one core; a GPU is faster",
        "memory_mb": rule.memory_mb,
        "disk_mb": round(disk_mb, 1),
        "disk_free_mb": round(free_mb),
        "disk_fits": disk_mb + settings.disk_reserve_bytes / 1e6 < free_mb,
    }


def _measured(kind: str, rule: Rule, runner: Runner) -> tuple[float, int]:
    """Median seconds a unit of the jobs that have succeeded, and how many they are."""
    rates = []
    for job in runner.list(kind=kind, state="succeeded", limit=MOST_EARLIER):
        amount = _amount(rule, job.params)
        if amount and job.started_at is not None and job.ended_at is not None:
            rates.append((job.ended_at - job.started_at) / amount)
    return (statistics.median(rates), len(rates)) if rates else (0.0, 0)


def _amount(rule: Rule, params: Params) -> float:
    try:
        return rule.amount(params)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return 0.0


def _recording_s(params: Params) -> float:
    limit = params.get("max_duration_s")
    seconds = _audio_s(Path(params["audio"]))
    return min(seconds, float(limit)) if limit else seconds


def _folder_s(params: Params) -> float:
    folder = Path(params.get("audio_dir") or Path(params["transcripts"]).parent)
    return sum(_audio_s(path) for path in folder.rglob("*") if path.is_file())


def _audio_s(path: Path) -> float:
    if path.is_dir():
        return sum(_audio_s(part) for part in path.iterdir() if part.is_file())
    if path.suffix.lower() == ".wav":
        try:
            with wave.open(str(path)) as sound:
                return float(sound.getnframes() / sound.getframerate())
        except wave.Error:
            return 0.0
    return path.stat().st_size / COMPRESSED_BYTES_PER_S


def _manifest_s(params: Params) -> float:
    with Path(params["manifest"]).open(encoding="utf-8") as lines:
        return sum((float(json.loads(line).get("duration_s") or UNKNOWN_CLIP_S) for line in lines if line.strip()), 0.0)


def _spoken_s(params: Params) -> float:
    return sum(len(text) for text in params["texts"]) / CHARACTERS_PER_S


def _takes(params: Params) -> float:
    path = Path(params["takes"])
    return sum(1 for line in (path / "takes.jsonl" if path.is_dir() else path).open(encoding="utf-8") if line.strip())


# Rules of thumb: ingest by bench/ingest; the others from single runs on two cores, good for the order of magnitude.
RULES: Mapping[str, Rule] = {
    "ingest_audiobook": Rule(_recording_s, "s of recording", 1 / 20, 10, 1200, CLIP_BYTES_PER_S),
    "ingest_clips": Rule(_folder_s, "s of clips", 1 / 30, 10, 1200, CLIP_BYTES_PER_S),
    "align": Rule(_manifest_s, "s of clips", 1 / 4, 10, 800, 400),
    "convert_codes": Rule(_manifest_s, "s of clips", 1 / 2, 15, 3000, 1000),
    "synthesize": Rule(_spoken_s, "s of speech", 6, 30, 5000, CLIP_BYTES_PER_S),
    "rate_samples": Rule(_takes, "takes", 5, 15, 1000, 4000),
}
