"""Speech to test the rating with: a real narrator, other people, damaged clips, and bounds for their ratings.

Voices of other people come from wheels of the ml environment that contain recordings (pyannote.audio: a telephone call
of two women; gradio: a film actor and an actress) and from the synthetic narrator of the sample. Pitch-shifted speech
is not used as another narrator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import parselmouth

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip, write_clip
from jobs.audio.resampling import resample
from jobs.codec_format import SAMPLES_PER_FRAME
from jobs.rate_samples.anchors import read_bundled_voice
from jobs.rate_samples.params import Params
from jobs.rate_samples.work import run
from jobs.settings import PROJECT_ROOT
from tests.support.null_context import NullContext

PRINTING = PROJECT_ROOT.parent / "shared" / "data" / "printing"
FABLES = PROJECT_ROOT / "samples"


@dataclass(frozen=True)
class Spoken:
    """Audio at 24 kHz and its text; empty: unknown."""

    audio: Samples
    text: str


@dataclass(frozen=True)
class Bound:
    """Limit of a row of the table."""

    at_most: float | None = None
    at_least: float | None = None
    below_clean: float | None = None

    def holds(self, mean: float, clean: float) -> bool:
        """Return True if a mean keeps the bound; ``clean`` is the mean of the same clips undamaged."""
        return (
            (self.at_most is None or mean <= self.at_most)
            and (self.at_least is None or mean >= self.at_least)
            and (self.below_clean is None or clean - mean >= self.below_clean)
        )

    def __str__(self) -> str:
        limits = {"≤": self.at_most, "≥": self.at_least}
        parts = [f"{sign} {value:g}" for sign, value in limits.items() if value is not None]
        return " ".join(parts + ([f"≥ {self.below_clean:g} below clean"] if self.below_clean is not None else []))


HELD_OUT = "held-out narrator"
BOUNDS = {
    HELD_OUT: Bound(at_least=4.3),
    "other narrator": Bound(at_most=2.5),
    "2x speed, pitch kept": Bound(at_most=2),
    "2x speed, every second frame dropped": Bound(at_most=2),
    "2x speed, chipmunk": Bound(at_most=2),
    "reversed": Bound(at_most=1.5),
    "white noise": Bound(at_most=1),
    "buzz": Bound(at_most=1),
    "silence": Bound(at_most=1),
    "another sentence": Bound(at_most=1.5),
    "cut off at 60 %": Bound(at_most=3),
    "cut off at 75 %": Bound(at_most=3),
    "noise at 10 dB": Bound(below_clean=0.7),
}


def _at_snr(audio: Samples, snr_db: float) -> Samples:
    noise = np.random.default_rng(0).normal(0, 1, len(audio)) * float(np.std(audio)) * 10 ** (-snr_db / 20)
    return np.asarray(audio + noise, np.float32)


def faster(audio: Samples, times: float) -> Samples:
    """Shorten audio at the same pitch by Praat's overlap-add, which takes random numbers: the same each time."""
    parselmouth.praat.run("random_initializeWithSeedUnsafelyButPredictably (1)")
    sound = parselmouth.Sound(audio.astype(np.float64), CLIP_RATE_HZ)
    shorter = parselmouth.praat.call(sound, "Lengthen (overlap-add)", 75, 600, 1 / times)
    return np.asarray(shorter.values[0], np.float32)


def frames_dropped(audio: Samples) -> Samples:
    """Drop every second codec frame, the error of a trainer that predicts the frame after next."""
    return audio[: len(audio) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME].reshape(-1, SAMPLES_PER_FRAME)[::2].reshape(-1)


def _buzz(audio: Samples) -> Samples:
    phase = np.arange(len(audio)) * 110 / CLIP_RATE_HZ % 1
    return np.asarray(0.2 * (2 * phase - 1), np.float32)


DAMAGE: Mapping[str, Callable[[Samples], Samples]] = {
    "2x speed, pitch kept": lambda audio: faster(audio, 2.0),
    "2x speed, every second frame dropped": frames_dropped,
    "2x speed, chipmunk": lambda audio: resample(audio, 2 * CLIP_RATE_HZ, CLIP_RATE_HZ),
    "reversed": lambda audio: audio[::-1],
    "white noise": lambda audio: np.random.default_rng(0).normal(0, 0.1, len(audio)).astype(np.float32),
    "buzz": _buzz,
    "silence": np.zeros_like,
    "cut off at 60 %": lambda audio: audio[: int(0.60 * len(audio))],
    "cut off at 75 %": lambda audio: audio[: int(0.75 * len(audio))],
    "cut off at 90 %": lambda audio: audio[: int(0.90 * len(audio))],
    "noise at 20 dB": lambda audio: _at_snr(audio, 20),
    "noise at 10 dB": lambda audio: _at_snr(audio, 10),
    "clipped by 18 dB": lambda audio: np.clip(audio * 8, -0.5, 0.5),
    "3 s of silence at the end": lambda audio: np.concatenate([audio, np.zeros(3 * CLIP_RATE_HZ, np.float32)]),
    "1.35x speed, pitch kept": lambda audio: faster(audio, 1.35),
}


def recordings(folder: Path) -> list[Spoken]:
    """Read the clips of a narrator, in order.

    Args:
        folder: with ``train_manifest.jsonl``, with ``transcripts.jsonl`` and ``clips/``, or the project's ``samples/``.
    """
    if folder.resolve() == FABLES.resolve():
        return [Spoken(audio, text) for text, audio in read_bundled_voice()]
    manifest = folder / "train_manifest.jsonl"
    base = folder if manifest.is_file() else folder / "clips"
    manifest = manifest if manifest.is_file() else folder / "transcripts.jsonl"
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Spoken(read_clip(base / str(row.get("audio") or row["audio_file"]), CLIP_RATE_HZ), row["text"]) for row in rows
    ]


def other_people() -> dict[str, Spoken]:
    """Read real speech of other people from wheels of the ml environment; wheels that are missing are left out."""
    found: dict[str, Spoken] = {}
    call = _in_wheel("pyannote.audio", "sample/sample.wav")
    if call is not None:  # bounds and words from sample.stm beside it
        audio = read_clip(call, CLIP_RATE_HZ)
        for name, start_s, end_s, text in (
            ("call, Sheila 1", 14.44, 17.79, "And I'm Sheila in Texas, originally from Chicago."),
            (
                "call, Sheila 2",
                24.0,
                28.43,
                "At least you know, they all call me a Yankee down here, so what can I say?",
            ),
            (
                "call, Diane",
                10.78,
                14.19,
                "Okay, then I thought you know, I heard a beep. This is Diane in New Jersey.",
            ),
        ):
            found[name] = Spoken(audio[int(start_s * CLIP_RATE_HZ) : int(end_s * CLIP_RATE_HZ)], text)
    for name, file in (
        ("actress", "cate_blanch.mp3"),
        ("actress, again", "cate_blanch_2.mp3"),
        ("actor", "heath_ledger.mp3"),
    ):
        path = _in_wheel("gradio", f"media_assets/audio/{file}")
        if path is not None:
            found[name] = Spoken(read_clip(path, CLIP_RATE_HZ), "")
    return found


def _in_wheel(package: str, ending: str) -> Path | None:
    for file in distribution(package).files or []:
        if str(file).endswith(ending) and Path(str(file.locate())).is_file():
            return Path(str(file.locate()))
    return None


def rate_all(
    narrator: Sequence[Spoken], takes: Mapping[str, Sequence[Spoken]], folder: Path, **more: Any
) -> dict[str, list[Any]]:
    """Rate takes against a narrator; return the lines of ``ratings.json`` by the name of the row.

    ``more`` are further parameters of ``rate_samples``.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def written(name: str, spoken: Spoken) -> str:
        write_clip(folder / f"{name}.wav", np.asarray(spoken.audio, np.float32), CLIP_RATE_HZ)
        seconds = len(spoken.audio) / CLIP_RATE_HZ
        row = {"audio": f"{name}.wav", "text": spoken.text, "duration_s": seconds, "language": "english"}
        return json.dumps(row) + "\n"

    names, lines = [], []
    for row, (name, group) in enumerate(takes.items()):
        for number, spoken in enumerate(group):
            names.append(name)
            lines.append(written(f"take-{row:02d}-{number:02d}", spoken))
    (folder / "takes.jsonl").write_text("".join(lines), encoding="utf-8")
    manifest = folder / "train_manifest.jsonl"
    manifest.write_text("".join(written(f"narrator-{n:02d}", s) for n, s in enumerate(narrator)), encoding="utf-8")
    params = Params(takes=str(folder), narrator_manifest=str(manifest), anchor_clips=0, **more)
    result = run(params, NullContext(folder))
    rated: dict[str, list[Any]] = {name: [] for name in takes}
    for name, take in zip(names, json.loads(Path(result.ratings).read_text(encoding="utf-8"))["takes"], strict=True):
        rated[name].append(take)
    return rated
