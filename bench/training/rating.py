"""Benchmark of the rating: a real narrator, and the same speech damaged: ``./run.sh bench rating [FOLDER]``.

FOLDER holds a ``train_manifest.jsonl`` or a ``transcripts.jsonl`` with ``clips/``; the default is the recording of the
tests if it exists, else the project's sample. Every second clip is measured for the narrator's profile; the others are
rated undamaged, and some of them damaged. ``--kinds subtle`` has the damage that a badly tuned voice makes, half of it
held out from the choice of limits (``tests/support/damage/subtle.py``), and clips with one word removed or repeated.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.rating.scoring import MIN_SPEECH_S, MIN_WORDS
from jobs.text.english_normalization import spoken_words
from tests.support.damage.speech import (
    BOUNDS,
    DAMAGE,
    FABLES,
    HELD_OUT,
    PRINTING,
    Bound,
    Spoken,
    other_people,
    rate_all,
    recordings,
)
from tests.support.damage.subtle import HELD_OUT as HELD_OUT_DAMAGE
from tests.support.damage.subtle import SUBTLE_BOUND, TUNED, ChangedWord, change_words, paused

WORD_SEED = {"tuned": 1, "held out": 2}
WORD_FAULTS = frozenset({"word_skipped", "word_repeated", "word_added", "word_misread"})


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


def with_changed_words(clips: Sequence[Spoken]) -> dict[str, list[ChangedWord]]:
    """Remove and repeat one content word of each clip, once with each seed."""
    return {
        f"one word {'repeated' if repeat else 'removed'} ({name})": change_words(clips, repeat=repeat, seed=seed)
        for repeat in (False, True)
        for name, seed in WORD_SEED.items()
    }


def with_pauses(clips: Sequence[Spoken]) -> dict[str, list[Spoken]]:
    """Put pauses inside the phrases of the clips: a long one, and many short ones."""
    return {
        "pause of 1 s inside a phrase [tuned]": paused(clips, pause_s=1.0, every=99, seed=1),
        "pause of 0.75 s inside a phrase [held out]": paused(clips, pause_s=0.75, every=99, seed=2),
        "pause of 0.25 s after every second word [tuned]": paused(clips, pause_s=0.25, every=2, seed=1),
        "pause of 0.2 s after every third word [held out]": paused(clips, pause_s=0.2, every=3, seed=2),
    }


def detection(rated: Sequence[dict[str, Any]], changed: Sequence[ChangedWord]) -> dict[str, float]:
    """Compute the share of takes whose changed word was found, and in which the word was named."""
    found = [set(take["faults"]) & (WORD_FAULTS | {"words_wrong", "text_not_heard"}) for take in rated]
    named = [
        any(f"{one.word}" in reason for reason in take["reasons"] if "evidence" in reason)
        for take, one in zip(rated, changed, strict=True)
    ]
    return {"found": fmean(map(bool, found)), "named": sum(named) / max(1, sum(map(bool, found)))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench rating", description=__doc__)
    default = PRINTING if PRINTING.is_dir() else FABLES
    parser.add_argument("folder", type=Path, nargs="?", default=default, help=f"default: {default}")
    parser.add_argument("--damaged", type=int, default=6, help="number of clips to damage (default: 6)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--kinds", choices=("coarse", "subtle", "all"), default="all", help="which damage")
    parser.add_argument("--whisper", help="folder of a faster-whisper model that also checks the words")
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
    changed: dict[str, list[ChangedWord]] = {}
    bounds = dict(BOUNDS)
    if options.kinds != "subtle":
        people = other_people()
        if people:
            takes["other narrator"] = list(people.values())
        if options.folder.resolve() != FABLES.resolve():
            takes["other narrator, synthetic (of the sample)"] = recordings(FABLES)[:6]
        takes |= damaged(held_out[: options.damaged])
    if options.kinds != "coarse":
        bounds[HELD_OUT] = Bound(at_least=4.5)
        for title, kinds in (("tuned", TUNED), ("held out", HELD_OUT_DAMAGE)):
            for kind, make in kinds.items():
                row = f"{kind} [{title}]"
                bounds[row] = SUBTLE_BOUND
                takes[row] = [Spoken(make(one.audio), one.text) for one in held_out[: options.damaged]]
        takes |= with_pauses(held_out[: options.damaged])
        changed = with_changed_words(held_out)
        takes |= {row: [one.spoken for one in some] for row, some in changed.items()}
    more = {"whisper_model": options.whisper} if options.whisper else {"judges": "offline"}
    n_takes = sum(map(len, takes.values()))
    with tempfile.TemporaryDirectory() as name:
        began = time.process_time()
        rated = rate_all(narrator, takes, Path(name), **more)
    clean = fmean(take["uncapped"] for take in rated[HELD_OUT][: options.damaged])
    table = []
    for name, lines in rated.items():
        values = [take["uncapped"] for take in lines]
        bound = bounds.get(name) or bounds.get(name.split(",")[0] if name.startswith("other") else "")
        table.append(
            {"row": name, "n": len(values), "mean": round(fmean(values), 2), "lowest": min(values),
             "highest": max(values), "bound": str(bound or ""),
             "holds": None if bound is None else bound.holds(fmean(values), clean),
             **(detection(lines, changed[name]) if name in changed else {})}
        )  # fmt: skip
    false_alarms = fmean(bool(WORD_FAULTS & set(take["faults"])) for take in rated[HELD_OUT])
    summary = {"folder": str(options.folder), "n_profile": len(narrator), "clean": round(clean, 2), "rows": table,
               "word_false_alarms": false_alarms, "cpu_s": round(time.process_time() - began, 1),
               "n_takes": n_takes}  # fmt: skip
    if options.json:
        print(json.dumps(summary))
        return
    print(
        f"{options.folder}: profile of {len(narrator)} clips, {n_takes} takes; {summary['cpu_s']} CPU seconds; "
        f"uncapped ratings; words falsely named in {false_alarms:.0%} of the undamaged clips"
    )
    print(f"{'':50}{'n':>3}{'mean':>7}{'lowest':>8}{'highest':>8}  bound")
    for one in table:
        verdict = {True: "holds", False: "BROKEN", None: ""}[one["holds"]]
        print(
            f"{one['row']:50}{one['n']:>3}{one['mean']:>7.2f}{one['lowest']:>8.2f}{one['highest']:>8.2f}"
            f"  {one['bound']} {verdict}".rstrip()
            + (f"  found {one['found']:.0%}, of these named {one['named']:.0%}" if "found" in one else "")
        )
        for take in rated[one["row"]] if options.reasons else []:
            print(f"      {take['uncapped']:.2f} {take['text'][:30]!r}: {'; '.join(take['reasons'])}")


if __name__ == "__main__":
    main()
