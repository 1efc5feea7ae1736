"""Takes of a narration: what its journal does not know is a person's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jobs.narrate.speech.take_store import SpokenTake, TakeStore

KEY, OTHER = "0" * 24, "1" * 24


def test_only_noted_takes_that_are_not_used_are_deleted(tmp_path: Path) -> None:
    with TakeStore(tmp_path / "passages") as store:
        for key, attempt in ((KEY, 1), (KEY, 2), (OTHER, 1)):
            store.write(key, attempt, np.zeros(2400, np.float32))
            store.note(key, attempt, SpokenTake(duration_s=0.1, hit_limit=False))
        mine = [f"{KEY}_9.wav", f"{KEY}_01.wav", "notes.txt"]
        for name in mine:
            (store.folder / name).write_text("mine")

        store.remove_others([(KEY, 2)])

        left = sorted(path.name for path in store.folder.glob("*") if path.suffix != ".jsonl")
    assert left == sorted([f"{KEY}_2.wav", f"{OTHER}_1.wav", *mine])
