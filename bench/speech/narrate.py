"""A long narration, measured from outside and killed: ``./run.sh bench narrate``.

    ./run.sh bench narrate                       3,000 words, killed 30 times
    ./run.sh bench narrate --words 300 --kills 5 --take-s 4

A tiny voice of random weights, which speaks noise, narrates a text of its own in chapters. The m4b is decoded again:
chapter marks, the place of every take by correlation, loudness by another library, true peak. Then narrations of the
same text are killed at random moments until all kills are used, and their files compared. One JSON object a line; the
exit status is 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pyloudnorm

import jobs.narrate.work  # noqa: F401  for the forks
from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip
from jobs.audio.resampling import resample
from jobs.narrate.params import Params
from jobs.narrate.script.passages import LEAD_S
from jobs.narrate.script.script import read_script
from jobs.narrate.sound.timeline import find_speech
from jobs.narrate.speech.voice import prepare_voice
from jobs.narrate.work import run
from jobs.qwen.upstream import qwen_tts
from jobs.settings import PROJECT_ROOT
from tests.support.kills.process_killer import killed_until_done
from tests.support.null_context import NullContext
from tests.support.toy.noise_voice import make_noise_voice

CHAPTERS = 6
MOST_OFF_S = 0.05
LUFS = (-20.0, -18.0)
MOST_PEAK_DBFS = -3.0
SEARCHED_S = 0.3
NAMES = ("Ada", "Bruno", "Clara", "Dmitri", "Edith", "Farid", "Greta", "Hugo", "Irene", "Jonas", "Karla", "Leon")


def main(argv: Sequence[str] | None = None) -> int:
    """Narrate, measure, kill, print."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench narrate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--take-s", type=float, default=2.0, help="length of each take: the voice never ends by itself")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    qwen_tts()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        killed_until_done(lambda: make_noise_voice(folder / "models"), rng, 0, 0)
        text = folder / "book.md"
        text.write_text(make_text(options.words), encoding="utf-8")
        given = {"model": str(folder / "models" / "voice"), "text": str(text), "language": "english", "respeak": 0,
                 "longest_passage_s": options.take_s, "checks": "ends"}  # fmt: skip
        whole = Params.model_validate({**given, "out_dir": str(folder / "whole")})
        began = time.monotonic()
        killed_until_done(partial(narrate, whole), rng, 0, 0)
        whole_s = time.monotonic() - began
        is_good = measure(whole, whole_s)
        known = hash_files(folder / "whole")
        n_kills = n_runs = n_differing = 0
        while n_kills < options.kills:
            n_runs += 1
            again = Params.model_validate({**given, "out_dir": str(folder / f"killed{n_runs}")})
            n_kills += killed_until_done(
                partial(narrate, again), rng, whole_s, min(rng.randint(3, 8), options.kills - n_kills)
            )
            n_differing += hash_files(Path(again.out_dir)) != known
        report(what="killed", n_kills=n_kills, n_narrations=n_runs, n_files=len(known), n_differing=n_differing)
    return 0 if is_good and not n_differing else 1


def make_text(n_words: int) -> str:
    """Return a text in chapters: the sample's fables, over and over with other names and numbers."""
    sentences = (PROJECT_ROOT / "samples" / "fables.txt").read_text(encoding="utf-8").split("\n")
    lines, n_said, number = ["---", "title: Fables", "author: A. Writer", "---", ""], 0, 0
    per_chapter = n_words / CHAPTERS
    n_begun = 0
    while n_said < n_words:
        if n_said >= n_begun * per_chapter:
            n_begun += 1
            lines += ["", f"# Chapter {n_begun}", ""]
        sentence = sentences[number % len(sentences)]
        number += 1
        if not sentence:
            lines.append("")
            continue
        said = f"{NAMES[number % len(NAMES)]} read {number} times: {sentence[0].lower()}{sentence[1:]}"
        lines.append(said)
        n_said += len(said.split())
    return "\n".join(lines) + "\n"


def narrate(params: Params) -> None:
    """Begin a narration or go on with it."""
    run(params, NullContext(Path(params.out_dir).parent))


def hash_files(folder: Path) -> dict[str, str]:
    """Hash the audio files and subtitles of a narration."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.suffix in (".m4b", ".mp3", ".srt", ".vtt")
    }


def measure(params: Params, whole_s: float) -> bool:
    """Measure a narration from its files; return whether all goals are met."""
    folder = Path(params.out_dir)
    settings = NullContext(folder).settings
    voice = prepare_voice(params, settings)
    chapters = read_script(params, voice.language).chapters
    sound = read_clip(folder / "book.m4b", CLIP_RATE_HZ, 1e6)
    with av.open(str(folder / "book.m4b")) as book:
        marks = [float(mark["start"] * mark["time_base"]) for mark in book.chapters()]
        titles = [mark["metadata"]["title"] for mark in book.chapters()]
    starts = list(cue_starts(folder / "book.srt"))
    takes = [read_clip(folder / "passages" / f"{voice.key(one)}_1.wav", CLIP_RATE_HZ)
             for chapter in chapters for one in chapter.passages]  # fmt: skip
    off_s = [find_offset_s(sound, start, take) for start, take in zip(starts, takes, strict=True)]
    firsts = np.cumsum([0, *(len(chapter.passages) for chapter in chapters)])[:-1]
    mark_off_s = [starts[first] + off_s[first] - LEAD_S - mark for first, mark in zip(firsts, marks, strict=True)]
    edges = [*(round(mark * CLIP_RATE_HZ) for mark in marks), len(sound)]
    parts = [sound[first:last] for first, last in pairwise(edges)]
    lufs = [float(pyloudnorm.Meter(CLIP_RATE_HZ).integrated_loudness(part.astype(np.float64))) for part in parts]
    peak = max(float(20 * np.log10(np.abs(resample(part, CLIP_RATE_HZ, 4 * CLIP_RATE_HZ)).max())) for part in parts)
    goals = {
        "titles_equal": titles == [chapter.title for chapter in chapters],
        "marks": max(map(abs, mark_off_s)) <= MOST_OFF_S,
        "takes_in_place": max(map(abs, off_s)) <= MOST_OFF_S,
        "loudness": LUFS[0] <= min(lufs) and max(lufs) <= LUFS[1],
        "peak": peak <= MOST_PEAK_DBFS,
    }
    report(what="narrated", n_words=sum(len(one.text.split()) for chapter in chapters for one in chapter.passages),
           n_chapters=len(chapters), n_takes=len(takes), sound_s=round(len(sound) / CLIP_RATE_HZ, 1),
           wall_s=round(whole_s, 1), most_mark_off_ms=round(max(map(abs, mark_off_s)) * 1000, 1),
           most_take_off_ms=round(max(map(abs, off_s)) * 1000, 1), lufs=[round(min(lufs), 2), round(max(lufs), 2)],
           true_peak_dbfs=round(peak, 2), good=goals)  # fmt: skip
    return all(goals.values())


def find_offset_s(sound: Samples, start_s: float, take: Samples) -> float:
    """Return how far from its place a take is found in the decoded sound, in seconds; infinity: it is not there."""
    first, last = find_speech(take)
    speech = take[first:last]
    around = round(SEARCHED_S * CLIP_RATE_HZ)
    begin = max(0, round(start_s * CLIP_RATE_HZ) - around)
    searched = sound[begin : begin + len(speech) + 2 * around]
    n = len(searched)
    match = np.fft.irfft(np.fft.rfft(searched, n) * np.fft.rfft(speech, n).conj(), n)[: n - len(speech) + 1]
    place = int(np.argmax(match))
    found = searched[place : place + len(speech)]
    likeness = match[place] / (np.linalg.norm(found) * np.linalg.norm(speech) + 1e-9)
    return (begin + place) / CLIP_RATE_HZ - start_s if likeness > 0.8 else float("inf")


def cue_starts(path: Path) -> Iterator[float]:
    """Iterate over the start of each cue in seconds."""
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        hours, minutes, seconds = block.split("\n")[1].split(" --> ")[0].replace(",", ".").split(":")
        yield int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def report(**figures: object) -> None:
    """Print figures as one line."""
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    sys.exit(main())
