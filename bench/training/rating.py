"""Benchmark of the rating: a real narrator, and the same speech damaged: ``./run.sh bench rating [FOLDER]``.

FOLDER holds a ``train_manifest.jsonl`` or a ``transcripts.jsonl`` with ``clips/``; the default is the recording of the
tests if it exists, else the project's sample. Every second clip is measured for the narrator's profile; the others are
rated undamaged, and some of them damaged.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.rating.scoring import MIN_SPEECH_S, MIN_WORDS
from jobs.text.english_normalization import spoken_words
from tests.support.damaged_speech import (
    BOUNDS,
    DAMAGE,
    FABLES,
    HELD_OUT,
    PRINTING,
    Spoken,
    other_people,
    rate_all,
    recordings,
)


def can_be_rated(spoken: Spoken) -> bool:
    """Return False for clips so short that their words are not rated."""
    return len(spoken.audio) >= MIN_SPEECH_S * CLIP_RATE_HZ and len(spoken_words(spoken.text)) >= MIN_WORDS


def damaged(clips: Sequence[Spoken]) -> dict[str, list[Spoken]]:
    """Damage the clips in every way, each with its whole text; add a row with the text of another sentence."""
    rows = {name: [Spoken(make(one.audio), one.text) for one in clips] for name, make in DAMAGE.items()}
    others = [*clips[1:], clips[0]]
    return rows | {
        "another sentence": [Spoken(one.audio, other.text) for one, other in zip(clips, others, strict=True)]
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench rating", description=__doc__)
    default = PRINTING if PRINTING.is_dir() else FABLES
    parser.add_argument("folder", type=Path, nargs="?", default=default, help=f"default: {default}")
    parser.add_argument("--damaged", type=int, default=6, help="number of clips to damage (default: 6)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--reasons", action="store_true", help="also print the reasons of each take")
    options = parser.parse_args()
    began = time.process_time()
    clips = recordings(options.folder)
    narrator, rest = clips[::2], clips[1::2]
    held_out = [one for one in rest if can_be_rated(one)]
    short = [one for one in rest if not can_be_rated(one)]
    takes: dict[str, list[Spoken]] = {HELD_OUT: held_out}
    if short:
        takes["held-out narrator, under 3 s or 6 words"] = short
    people = other_people()
    if people:
        takes["other narrator"] = list(people.values())
    if options.folder.resolve() != FABLES.resolve():
        takes["other narrator, synthetic (of the sample)"] = recordings(FABLES)[:6]
    takes |= damaged(held_out[: options.damaged])
    with tempfile.TemporaryDirectory() as name:
        rated = rate_all(narrator, takes, Path(name))
    clean = fmean(take["uncapped"] for take in rated[HELD_OUT][: options.damaged])
    table = []
    for name, lines in rated.items():
        values = [take["uncapped"] for take in lines]
        bound = BOUNDS.get(name) or BOUNDS.get(name.split(",")[0] if name.startswith("other") else "")
        table.append(
            {"row": name, "n": len(values), "mean": round(fmean(values), 2), "lowest": min(values),
             "highest": max(values), "bound": str(bound or ""),
             "holds": None if bound is None else bound.holds(fmean(values), clean)}
        )  # fmt: skip
    summary = {"folder": str(options.folder), "n_profile": len(narrator), "clean": round(clean, 2), "rows": table,
               "cpu_s": round(time.process_time() - began, 1)}  # fmt: skip
    if options.json:
        print(json.dumps(summary))
        return
    print(f"{options.folder}: profile of {len(narrator)} clips; {summary['cpu_s']} CPU seconds; uncapped ratings")
    print(f"{'':44}{'n':>3}{'mean':>7}{'lowest':>8}{'highest':>8}  bound")
    for one in table:
        verdict = {True: "holds", False: "BROKEN", None: ""}[one["holds"]]
        print(
            f"{one['row']:44}{one['n']:>3}{one['mean']:>7.2f}{one['lowest']:>8.2f}{one['highest']:>8.2f}"
            f"  {one['bound']} {verdict}".rstrip()
        )
        for take in rated[one["row"]] if options.reasons else []:
            print(f"      {take['uncapped']:.2f} {take['text'][:30]!r}: {'; '.join(take['reasons'])}")


if __name__ == "__main__":
    main()
