"""The rating on a real narrator (LJ Speech 001, public domain), undamaged and damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.rate_samples.spec import Params
from jobs.rate_samples.work import run
from jobs.runner.context import JobContext
from jobs.settings import PROJECT_ROOT, Settings
from jobs.speech.audio import CLIP_RATE_HZ, read_clip, resample, write_clip

PRINTING = PROJECT_ROOT.parent / "shared" / "data" / "printing"
HELD_OUT = (3, 12)  # LJ001-0004 (6 s), -0013 (4 s)
NARRATOR = (0, 4, 7, 9, 14, 16)
TOO_SHORT = 1  # 1.9 s, four words: its word error rate says nothing

pytestmark = pytest.mark.skipif(not PRINTING.is_dir(), reason="needs the recording in ../shared/data/printing")


def twice_as_fast(audio: np.ndarray) -> np.ndarray:
    """Every second 80 ms frame dropped: what a trainer that predicts the frame after next makes."""
    frames = audio[: len(audio) // 1920 * 1920].reshape(-1, 1920)
    return frames[::2].reshape(-1)


def damaged(audio: np.ndarray) -> dict[str, np.ndarray]:
    """One clip in many states."""
    noise = np.random.default_rng(0).normal(0, 1, len(audio))
    return {
        "white_noise": noise * 0.1,
        "noisy": audio + noise * float(np.std(audio)) * 10 ** (-10 / 20),
        "reversed": audio[::-1],
        "twice_as_fast": twice_as_fast(audio),
        "chipmunk": resample(audio, 48_000, CLIP_RATE_HZ),
        "clipped": np.clip(audio * 8, -0.5, 0.5),
        "long_tail": np.concatenate([audio, np.zeros(3 * CLIP_RATE_HZ)]),
        "silence": audio * 0,
    }


class _Context(JobContext):
    """A context that nobody watches."""

    def __init__(self, folder: Path) -> None:
        self.job_id, self.folder = "rate_samples-test", folder
        self.settings = Settings(home=folder, envs=folder, roots=(folder,))

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None: ...
    def publish(self, name: str, path: Path, kind: Any) -> str:
        return name

    def raise_if_cancelled(self) -> None: ...


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Ratings by the name of the state."""
    folder = tmp_path_factory.mktemp("real")
    rows = [json.loads(line) for line in (PRINTING / "transcripts.jsonl").read_text().splitlines()]
    clips = {n: read_clip(PRINTING / "clips" / rows[n]["audio_file"], CLIP_RATE_HZ) for n in range(len(rows))}
    takes: dict[str, tuple[np.ndarray, str]] = {f"held_out_{n}": (clips[n], rows[n]["text"]) for n in HELD_OUT}
    first = HELD_OUT[0]
    takes |= {name: (audio, rows[first]["text"]) for name, audio in damaged(clips[first]).items()}
    takes["wrong_text"] = (clips[first], rows[HELD_OUT[1]]["text"])
    takes["too_short"] = (clips[TOO_SHORT], rows[TOO_SHORT]["text"])

    def write(name: str, audio: np.ndarray, text: str) -> str:
        write_clip(folder / f"{name}.wav", np.asarray(audio, np.float32), CLIP_RATE_HZ)
        return json.dumps({"audio": f"{name}.wav", "text": text, "speaker": "lj", "hit_limit": name == "no_end"}) + "\n"

    takes["no_end"] = takes[f"held_out_{first}"]
    (folder / "takes.jsonl").write_text("".join(write(name, *take) for name, take in takes.items()))
    narrator = [write(f"narrator_{n}", clips[n], rows[n]["text"]) for n in NARRATOR]
    (folder / "train_manifest.jsonl").write_text("".join(narrator))
    params = Params(takes=str(folder), narrator_manifest=str(folder / "train_manifest.jsonl"))
    result = run(params, _Context(folder))
    return {Path(take["audio"]).stem: take for take in json.loads(Path(result.ratings).read_text())["takes"]}


@pytest.mark.parametrize("name", [*(f"held_out_{n}" for n in HELD_OUT), "too_short"])
def test_the_narrators_own_held_out_clips_rate_at_least_four(ratings: dict[str, dict[str, Any]], name: str) -> None:
    assert ratings[name]["uncapped"] >= 4.0, ratings[name]["reasons"]
    assert ratings[name]["measures"]["text_heard"] == 1


# The targets of the table that the formula was made with, or better.
@pytest.mark.parametrize(
    ("name", "at_most", "fault"),
    [
        ("silence", 1.0, "silent"),
        ("white_noise", 1.0, "not_speech"),
        ("wrong_text", 1.0, "text_not_heard"),
        ("reversed", 1.5, "text_not_heard"),
        ("no_end", 1.5, "no_end"),
        ("twice_as_fast", 2.0, "too_fast"),
        ("chipmunk", 2.0, "pitch"),
        ("noisy", 3.2, "sound"),
        ("clipped", 2.5, "clipped"),
        ("long_tail", 3.5, "long_tail"),
    ],
)
def test_damage_is_rated_down_and_named(
    ratings: dict[str, dict[str, Any]], name: str, at_most: float, fault: str
) -> None:
    assert ratings[name]["uncapped"] <= at_most, ratings[name]["reasons"]
    assert fault in ratings[name]["faults"]
