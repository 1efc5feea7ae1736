"""Conversions to codes that are killed at random moments, on a dataset made of the sample audiobook."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.convert_codes.params import Params
from jobs.convert_codes.work import run
from jobs.dataset.manifest import Clip, write_rows
from jobs.settings import PROJECT_ROOT
from tests.support.kills.process_killer import killed_until_done
from tests.support.null_context import NullContext

WRITTEN = ("train_manifest_qwen3.jsonl", "convert_rejections.jsonl")


def convert(dataset: Path, tokenizer: str) -> None:
    """Convert a dataset as a worker does."""
    (dataset / "job").mkdir(exist_ok=True)
    context: Any = NullContext(dataset / "job")
    run(Params(manifest=str(dataset / "train_manifest.jsonl"), tokenizer=tokenizer), context)


def make_dataset(folder: Path, n_clips: int, seed: int = 0, longest_s: float = 15.0) -> float:
    """Write clips of 1 to ``longest_s`` seconds, most of them short; return their total duration in seconds."""
    rng = np.random.default_rng(seed)
    book = read_clip(PROJECT_ROOT / "samples" / "fables.m4b", CLIP_RATE_HZ)
    (folder / "clips").mkdir(parents=True)
    rows = []
    for number in range(n_clips):
        length_s = float(np.clip(rng.lognormal(1.3, 0.6), 1.0, longest_s))
        start = int(rng.integers(0, len(book) - int(length_s * CLIP_RATE_HZ)))
        name = f"clips/{number:05d}.wav"
        write_clip(folder / name, book[start : start + int(length_s * CLIP_RATE_HZ)], CLIP_RATE_HZ)
        rows.append(Clip(audio=name, text="A sentence.", duration_s=round(length_s, 3)))
    write_rows(folder / "train_manifest.jsonl", rows)
    return sum(row.duration_s or 0 for row in rows)


def killed(tokenizer: str, n_clips: int, n_kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill conversions until ``n_kills`` were killed, and compare what each leaves with an undisturbed one's."""
    from jobs.qwen.upstream import qwen_tts

    qwen_tts()  # before the fork, or most would be killed in its long import
    make_dataset(folder / "whole", n_clips, longest_s=5.0)
    began = time.monotonic()
    killed_until_done(lambda: convert(folder / "whole", tokenizer), random.Random(seed), 0, 0)
    within_s = time.monotonic() - began
    expected = [(folder / "whole" / name).read_bytes() for name in WRITTEN]
    rng = random.Random(seed)
    n_killed = n_different = n_rounds = 0
    while n_killed < n_kills:
        dataset = folder / f"round-{n_rounds}"
        make_dataset(dataset, n_clips, longest_s=5.0)
        n_killed += killed_until_done(
            lambda dataset=dataset: convert(dataset, tokenizer),  # type: ignore[misc]
            rng, within_s, min(3, n_kills - n_killed),
        )  # fmt: skip
        n_different += [(dataset / name).read_bytes() for name in WRITTEN] != expected
        shutil.rmtree(dataset)
        n_rounds += 1
    return {"killed": n_killed, "finished": n_rounds, "different": n_different, "bytes": sum(map(len, expected))}
